//! Amounts of money: `{ "amount": "12.50", "currency": "EUR" }`.

use serde_json::Value;

use super::Pair;
use crate::decimal::Decimal;
use crate::outcome::{Finding, Judged};
use crate::show;
use crate::tolerance::Band;

const EXPECTED: &str = "an object with amount (a number or decimal string) and currency (the three \
    capital letters of ISO 4217)";

/// An exact amount in a currency. Which codes are in use is for the Type's schema to say: a list here
/// would refuse new currencies.
struct Denomination {
    amount: Decimal,
    currency: String,
}

impl Denomination {
    fn read(value: &Value) -> Result<Self, String> {
        let Value::Object(members) = value else { return Err(show::kind(value).to_owned()) };
        let member = |name: &str| members.get(name).ok_or_else(|| format!("no {name}"));
        let amount = Decimal::read(member("amount")?).map_err(|what| format!("amount {what}"))?;
        let currency = member("currency")?;
        let is_code = |text: &&str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
        match currency.as_str().filter(is_code) {
            Some(code) => Ok(Self { amount, currency: code.to_owned() }),
            None => Err(format!("currency {}", show::value(currency))),
        }
    }
}

pub(super) fn judge(pair: &Pair<'_>, band: &Band, dispute: Option<&Decimal>) -> Finding {
    let read = pair.read(EXPECTED, Denomination::read);
    let shown = read.as_ref().ok().map(|(expected, found)| {
        let text = |of: &Denomination| Some(format!("{} {}", of.amount, of.currency));
        (text(expected), text(found))
    });
    let distance = match read {
        Err(reason) => Err(Judged::Error(reason)),
        Ok((expected, found)) if expected.currency != found.currency => {
            Err(Judged::Fail("the currencies differ"))
        }
        Ok((expected, found)) => Ok((found.amount.minus(&expected.amount), expected.amount)),
    };
    let finding = pair.within(band, dispute, distance);
    match shown {
        Some((expected, found)) => Finding { expected, found, ..finding },
        None => finding,
    }
}
