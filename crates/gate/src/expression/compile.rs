//! From tokens to a program in postfix order, with an explicit stack of bounded depth (Dijkstra's
//! shunting yard): nothing recurses.

use super::run::{Binary, Function, Step};
use super::token::{Refused, Token, tokens};
use super::{Document, Source};
use crate::decimal::Decimal;
use crate::limits::{EXPRESSION_DEPTH, EXPRESSION_STEPS};
use crate::pointer::Pointer;

const OPERAND: &str = "a value: a number, a text, true, false, criteria(\"/...\"), evidence(\"/...\"), \
    has(...), size(...), number(...), abs(...), !, - or (";
const OPERATOR: &str = "an operator or )";

/// What waits for its operands.
#[derive(Debug, Clone, Copy)]
enum Pending {
    Open,
    Call(Function),
    Prefix(Function),
    Operator(Binary),
    /// `&&` or `||`, with the place of its jump.
    Logic {
        and: bool,
        jump: usize,
    },
}

/// Binds tighter than any operator between two operands.
const PREFIX: u8 = 6;

impl Pending {
    /// `None` for what only a closing parenthesis ends.
    fn binding(self) -> Option<u8> {
        Some(match self {
            Self::Open | Self::Call(_) => return None,
            Self::Logic { and: false, .. } => 1,
            Self::Logic { and: true, .. } => 2,
            Self::Operator(operator) => operator.binding(),
            Self::Prefix(_) => PREFIX,
        })
    }
}

pub(super) fn compile(source: &str) -> Result<Vec<Step>, Refused> {
    let mut compiler = Compiler {
        tokens: tokens(source)?.into_iter().peekable(),
        end: source.len(),
        at: 0,
        pending: Vec::new(),
        program: Vec::new(),
    };
    compiler.operand()?;
    while let Some(token) = compiler.next() {
        compiler.after_operand(token)?;
    }
    compiler.at = source.len();
    compiler.finish()
}

struct Compiler<'s> {
    tokens: std::iter::Peekable<std::vec::IntoIter<(usize, Token<'s>)>>,
    end: usize,
    /// Byte offset of the token in hand.
    at: usize,
    pending: Vec<Pending>,
    program: Vec<Step>,
}

impl<'s> Compiler<'s> {
    fn next(&mut self) -> Option<Token<'s>> {
        let (at, token) = self.tokens.next()?;
        self.at = at;
        Some(token)
    }

    fn refuse<T>(&self, expected: &'static str, found: impl Into<String>) -> Result<T, Refused> {
        Err(Refused { at: self.at, expected, found: found.into() })
    }

    fn push(&mut self, pending: Pending) -> Result<(), Refused> {
        if self.pending.len() == EXPRESSION_DEPTH {
            return self.refuse("an expression nested at most 32 deep", "a deeper one");
        }
        self.pending.push(pending);
        Ok(())
    }

    fn emit(&mut self, step: Step) -> Result<(), Refused> {
        if self.program.len() == EXPRESSION_STEPS {
            return self.refuse("an expression of at most 512 values and operators", "more");
        }
        self.program.push(step);
        Ok(())
    }

    /// Reads up to and with the next operand.
    fn operand(&mut self) -> Result<(), Refused> {
        loop {
            let Some(token) = self.next() else {
                self.at = self.end;
                return self.refuse(OPERAND, "the end");
            };
            match token {
                Token::Number(number) => return self.emit(Step::Number(number)),
                Token::Text(text) => return self.emit(Step::Text(text)),
                Token::Sign("(") => self.push(Pending::Open)?,
                Token::Sign("-") => self.push(Pending::Prefix(Function::Negate))?,
                Token::Sign("!") => self.push(Pending::Prefix(Function::Not))?,
                Token::Word(word) => {
                    if self.word(word)? {
                        return Ok(());
                    }
                }
                other @ Token::Sign(_) => return self.refuse(OPERAND, other.shown()),
            }
        }
    }

    /// True when the word is an operand, false when it is a function whose operand follows.
    fn word(&mut self, word: &str) -> Result<bool, Refused> {
        let function = match word {
            "true" | "false" => return self.emit(Step::Bool(word == "true")).map(|()| true),
            "criteria" => return self.read(Document::Criteria).map(|()| true),
            "evidence" => return self.read(Document::Evidence).map(|()| true),
            "has" => return self.has().map(|()| true),
            "size" => Function::Size,
            "number" => Function::Number,
            "abs" => Function::Abs,
            other => return self.refuse(OPERAND, crate::show::shorten(other)),
        };
        self.sign("(")?;
        self.push(Pending::Call(function)).map(|()| false)
    }

    fn read(&mut self, document: Document) -> Result<(), Refused> {
        let source = self.source(document)?;
        self.emit(Step::Read(source))
    }

    fn has(&mut self) -> Result<(), Refused> {
        self.sign("(")?;
        let document = match self.next() {
            Some(Token::Word("criteria")) => Document::Criteria,
            Some(Token::Word("evidence")) => Document::Evidence,
            other => return self.refuse("criteria(\"/...\") or evidence(\"/...\")", shown(other)),
        };
        let source = self.source(document)?;
        self.sign(")")?;
        self.emit(Step::Has(source))
    }

    fn source(&mut self, document: Document) -> Result<Source, Refused> {
        self.sign("(")?;
        let pointer = match self.next() {
            Some(Token::Text(text)) => Pointer::parse(&text),
            other => return self.refuse(Pointer::EXPECTED, shown(other)),
        };
        let Some(pointer) = pointer else { return self.refuse(Pointer::EXPECTED, "another text") };
        self.sign(")")?;
        Ok(Source { document, pointer })
    }

    fn sign(&mut self, wanted: &'static str) -> Result<(), Refused> {
        match self.next() {
            Some(Token::Sign(sign)) if sign == wanted => Ok(()),
            other => self.refuse(wanted, shown(other)),
        }
    }

    /// An operator and its right operand, or a closing parenthesis.
    fn after_operand(&mut self, token: Token<'_>) -> Result<(), Refused> {
        let Token::Sign(sign) = token else { return self.refuse(OPERATOR, token.shown()) };
        match sign {
            ")" => return self.close(),
            "&&" | "||" => {
                let and = sign == "&&";
                self.reduce(if and { 2 } else { 1 })?;
                let jump = self.program.len();
                self.emit(Step::Logic { and, target: jump })?;
                self.push(Pending::Logic { and, jump })?;
            }
            sign => {
                let Some(operator) = Binary::of(sign) else { return self.refuse(OPERATOR, sign) };
                self.reduce(operator.binding())?;
                self.push(Pending::Operator(operator))?;
            }
        }
        self.operand()
    }

    /// Writes what binds at least as tightly as an operator that follows.
    fn reduce(&mut self, binding: u8) -> Result<(), Refused> {
        while let Some(top) = self.pending.last().copied() {
            if top.binding().is_none_or(|bound| bound < binding) {
                break;
            }
            if binding == Binary::COMPARES && top.binding() == Some(Binary::COMPARES) {
                return self.refuse("&& between two comparisons", "a second comparison");
            }
            self.pending.pop();
            self.write(top)?;
        }
        Ok(())
    }

    fn write(&mut self, pending: Pending) -> Result<(), Refused> {
        match pending {
            Pending::Open => Ok(()),
            Pending::Call(function) | Pending::Prefix(function) => self.emit(Step::Apply(function)),
            Pending::Operator(operator) => self.emit(Step::Combine(operator)),
            Pending::Logic { and, jump } => {
                self.emit(Step::AssertBool)?;
                let target = self.program.len();
                self.program[jump] = Step::Logic { and, target };
                Ok(())
            }
        }
    }

    fn close(&mut self) -> Result<(), Refused> {
        self.reduce(0)?;
        match self.pending.pop() {
            Some(opened) => self.write(opened),
            None => self.refuse("an operator or the end", ")"),
        }
    }

    fn finish(mut self) -> Result<Vec<Step>, Refused> {
        self.reduce(0)?;
        if !self.pending.is_empty() {
            return self.refuse("a closing )", "the end");
        }
        if self.program.last().is_some_and(Step::is_boolean_if_anything) {
            return Ok(self.program);
        }
        self.at = 0;
        self.refuse("an expression that gives true or false", "one that gives something else")
    }
}

fn shown(token: Option<Token<'_>>) -> String {
    token.map_or("the end".to_owned(), |token| token.shown())
}

impl Binary {
    const COMPARES: u8 = 3;

    fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "==" => Self::Equal,
            "!=" => Self::Unequal,
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::More,
            ">=" => Self::AtLeast,
            "+" => Self::Plus,
            "-" => Self::Minus,
            "*" => Self::Times,
            _ => return None,
        })
    }

    fn binding(self) -> u8 {
        match self {
            Self::Plus | Self::Minus => 4,
            Self::Times => 5,
            _ => Self::COMPARES,
        }
    }

    pub(super) fn combine(self, left: &Decimal, right: &Decimal) -> Option<Decimal> {
        Some(match self {
            Self::Plus => left.plus(right),
            Self::Minus => left.minus(right),
            Self::Times => left.times(right),
            _ => return None,
        })
    }
}
