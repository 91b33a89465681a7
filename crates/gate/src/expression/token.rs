//! From text to tokens.

use crate::decimal::Decimal;

/// Why an expression is not accepted.
#[derive(Debug)]
pub(super) struct Refused {
    /// Byte offset.
    pub(super) at: usize,
    pub(super) expected: &'static str,
    pub(super) found: String,
}

impl Refused {
    /// Counted in characters, from 1.
    pub(super) fn character(&self, source: &str) -> usize {
        source.char_indices().take_while(|(at, _)| *at < self.at).count() + 1
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'s> {
    Number(Decimal),
    Text(String),
    /// A word: a function, a document, `true` or `false`.
    Word(&'s str),
    /// An operator, a parenthesis.
    Sign(&'static str),
}

impl Token<'_> {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Number(number) => crate::show::shorten(&number.to_string()),
            Self::Text(_) => "a text".to_owned(),
            Self::Word(word) => crate::show::shorten(word),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}

/// Longer ones first.
const SIGNS: [&str; 14] =
    ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "!", "(", ")"];

/// The tokens of a source, each with its byte offset.
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token<'_>)>, Refused> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (token, length) = if first.is_ascii_digit() {
            number(rest, at)?
        } else if first.is_ascii_alphabetic() {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            (Token::Word(&rest[..length]), length)
        } else if first == '"' || first == '\'' {
            text(rest, first, at)?
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            let expected = "a number, a text in quotes, a name, an operator or a parenthesis";
            return Err(Refused { at, expected, found: first.escape_default().to_string() });
        };
        tokens.push((at, token));
        at += length;
    }
    Ok(tokens)
}

fn number(rest: &str, at: usize) -> Result<(Token<'_>, usize), Refused> {
    let mut length = 0;
    let mut before = ' ';
    for c in rest.chars() {
        let sign_of_exponent = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
        if !(c.is_ascii_alphanumeric() || c == '.' || sign_of_exponent) {
            break;
        }
        before = c;
        length += c.len_utf8();
    }
    let text = &rest[..length];
    let refused = || Refused { at, expected: Decimal::EXPECTED, found: crate::show::shorten(text) };
    Decimal::parse(text).map(|number| (Token::Number(number), length)).ok_or_else(refused)
}

/// A text in quotes of either kind; a backslash keeps the quote or backslash that follows it.
fn text(rest: &str, quote: char, at: usize) -> Result<(Token<'_>, usize), Refused> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((offset, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | '"' | '\''))) => text.push(escaped),
                _ => {
                    let expected = "\\\\, \\\" or \\' after a backslash in a text";
                    return Err(Refused { at: at + offset, expected, found: "another".to_owned() });
                }
            },
            c if c == quote => return Ok((Token::Text(text), offset + 1)),
            c => text.push(c),
        }
    }
    Err(Refused { at, expected: "a closing quote", found: "the end".to_owned() })
}
