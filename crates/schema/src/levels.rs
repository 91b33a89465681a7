//! The most that any one place in a value can cost, level by level.

use std::collections::HashMap;

use crate::cost::Cost;
use crate::error::SchemaError;
use crate::graph::{Graph, Kind, Node};
use crate::limits::{DEPTH, IN_PLACE_DEPTH, WORK_PER_LEVEL};

/// Orders the schemas so that each comes after those it applies to the same value, and measures the
/// longest such chain. Fails when there is a cycle, as validation would then never end.
pub(crate) fn in_place_order(graph: &Graph<'_>) -> Result<(Vec<usize>, usize), SchemaError> {
    const OPEN: usize = usize::MAX;
    let count = graph.nodes.len();
    // 0: not seen; OPEN: on the current chain; otherwise the length of the longest chain from here.
    let mut chain = vec![0; count];
    let mut order = Vec::with_capacity(count);
    let mut stack = Vec::new();
    for start in 0..count {
        if chain[start] != 0 {
            continue;
        }
        chain[start] = OPEN;
        stack.push((start, 0));
        while let Some((node, at)) = stack.pop() {
            let edges = &graph.nodes[node].edges;
            let Some(edge) = edges.get(at) else {
                let below = edges.iter().filter(|edge| edge.kind == Kind::InPlace);
                chain[node] = 1 + below.map(|edge| chain[edge.to]).max().unwrap_or(0);
                if chain[node] > IN_PLACE_DEPTH {
                    return Err(SchemaError::TooComplex { path: graph.path(node) });
                }
                order.push(node);
                continue;
            };
            stack.push((node, at + 1));
            if edge.kind == Kind::InPlace {
                match chain[edge.to] {
                    OPEN => {
                        return Err(SchemaError::EndlessReference { path: graph.path(edge.to) });
                    }
                    0 => {
                        chain[edge.to] = OPEN;
                        stack.push((edge.to, 0));
                    }
                    _ => {}
                }
            }
        }
    }
    Ok((order, chain.into_iter().max().unwrap_or(0)))
}

/// For one level below a schema: the cost of applying it (`run`), and of finding out which
/// properties and items it has evaluated (`mark`), which `unevaluated*` needs and which runs
/// alternatives once more at each step down a chain.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Pass {
    run: Cost,
    mark: Cost,
}

/// Most work at any one place on each level of a value; the root is level 0. All lists are as long
/// as the schema is deep, at most [`DEPTH`] + 1.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    pub(crate) places: Vec<Cost>,
    /// The same within one property of the root, for the properties that the root names.
    named: HashMap<String, Vec<Cost>>,
    /// The same within its other properties.
    others: Vec<Cost>,
}

/// Most properties of the root that are told apart.
const NAMED: usize = 128;

impl Levels {
    pub(crate) fn new(graph: &Graph<'_>, order: &[usize]) -> Result<Self, SchemaError> {
        let own: Vec<Cost> = graph.nodes.iter().map(Cost::of).collect();
        let marks: Vec<bool> = graph.nodes.iter().map(marks).collect();
        let root = Root::new(graph, order, &marks);
        let mut above: Vec<Pass> = Vec::new();
        let mut levels = Self::default();
        for level in 0..=DEPTH {
            let mut passes = vec![Pass::default(); graph.nodes.len()];
            for &index in order {
                let node = &graph.nodes[index];
                let mut pass = if level == 0 {
                    Pass { run: own[index], mark: own[index] }
                } else {
                    Pass { run: below(node, &above, false), mark: below(node, &above, true) }
                };
                for edge in node.edges.iter().filter(|edge| edge.kind == Kind::InPlace) {
                    let inner = passes[edge.to];
                    pass.run = pass.run.add(inner.run);
                    pass.mark = pass.mark.add(inner.mark);
                    if !edge.reference {
                        pass.mark = pass.mark.add(inner.run);
                    }
                }
                if marks[index] {
                    pass.run = pass.run.add(pass.mark);
                }
                let steps = pass.run.steps.saturating_add(pass.run.object);
                if level <= 1 && steps > WORK_PER_LEVEL {
                    return Err(SchemaError::TooComplex { path: graph.path(index) });
                }
                passes[index] = pass;
            }
            levels.push(&root, passes[0].run, &above);
            above = passes;
            if above.iter().all(|pass| *pass == Pass::default()) {
                break;
            }
        }
        Ok(levels)
    }

    fn push(&mut self, root: &Root<'_>, place: Cost, above: &[Pass]) {
        self.places.push(place);
        let sum = |edges: &[(usize, u64)]| {
            let costs = edges.iter().map(|(to, times)| {
                above.get(*to).map_or_else(Cost::default, |pass| pass.run.times(*times))
            });
            costs.fold(Cost::default(), Cost::add)
        };
        let others = if root.exact { sum(&root.others) } else { place };
        self.others.push(others);
        for (name, edges) in &root.named {
            let costs = self.named.entry((*name).to_owned()).or_default();
            costs.push(sum(edges).add(others));
        }
    }

    /// The costs within one property of the root.
    pub(crate) fn of_property(&self, name: &str) -> &[Cost] {
        self.named.get(name).unwrap_or(&self.others)
    }
}

/// Whether `unevaluatedProperties` or `unevaluatedItems` make the validator go over a schema again.
fn marks(node: &Node<'_>) -> bool {
    let has = |keyword| node.value.get(keyword).is_some();
    has("unevaluatedProperties") || has("unevaluatedItems")
}

/// Which schemas apply to the properties of the root, and how often.
#[derive(Default)]
struct Root<'a> {
    named: HashMap<&'a str, Vec<(usize, u64)>>,
    others: Vec<(usize, u64)>,
    /// The two lists are complete; otherwise properties are not told apart.
    exact: bool,
}

impl<'a> Root<'a> {
    fn new(graph: &Graph<'a>, order: &[usize], marks: &[bool]) -> Self {
        let mut times: Vec<u64> = vec![0; graph.nodes.len()];
        times[0] = 1;
        let mut root = Self { exact: true, ..Self::default() };
        // From each schema to those it applies: against the order.
        for &index in order.iter().rev().filter(|index| !graph.nodes[**index].edges.is_empty()) {
            let here = times[index];
            if here == 0 {
                continue;
            }
            for edge in &graph.nodes[index].edges {
                match edge.kind {
                    Kind::InPlace => times[edge.to] = times[edge.to].saturating_add(here),
                    Kind::Property(name) => {
                        root.named.entry(name).or_default().push((edge.to, here));
                    }
                    Kind::Properties => root.others.push((edge.to, here)),
                    Kind::Prefix(_) | Kind::Items | Kind::Definition => {}
                }
            }
            if marks[index] || root.named.len() > NAMED {
                return Self::default();
            }
        }
        root
    }
}

/// What one schema costs at the costliest place one level further down, by its own keywords: by all
/// of them, or by those that marking applies.
fn below(node: &Node<'_>, above: &[Pass], marking: bool) -> Cost {
    let mut single = Cost::default();
    let mut several = Cost::default();
    for edge in node.edges.iter().filter(|edge| edge.marking || !marking) {
        let cost = above[edge.to].run;
        match edge.kind {
            Kind::Property(_) | Kind::Prefix(_) => single = single.max(cost),
            Kind::Properties | Kind::Items => several = several.add(cost),
            Kind::InPlace | Kind::Definition => {}
        }
    }
    single.add(several)
}
