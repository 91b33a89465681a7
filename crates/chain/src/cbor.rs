//! The few CBOR items that statements are made of, in core deterministic encoding (RFC 8949
//! section 4.2.1): shortest heads, definite lengths, map keys in bytewise order.
//!
//! The reader accepts nothing else, so what it reads re-encodes to the same bytes.

/// Major types (RFC 8949 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Major {
    Unsigned = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Tag = 6,
}

/// Appends items to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    fn head(&mut self, major: Major, argument: u64) {
        let major = (major as u8) << 5;
        let bytes = argument.to_be_bytes();
        match argument {
            0..=23 => self.0.push(major | bytes[7]),
            24..=0xff => self.0.extend_from_slice(&[major | 24, bytes[7]]),
            0x100..=0xffff => {
                self.0.push(major | 25);
                self.0.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.0.push(major | 26);
                self.0.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend_from_slice(&bytes);
            }
        }
    }

    pub(crate) fn uint(&mut self, value: u64) {
        self.head(Major::Unsigned, value);
    }

    pub(crate) fn int(&mut self, value: i64) {
        // -1 - n is the bitwise complement of n, so no value overflows.
        let major = if value < 0 { Major::Negative } else { Major::Unsigned };
        let magnitude = if value < 0 { !value } else { value };
        self.head(major, magnitude as u64);
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.bytes_head(value.len());
        self.0.extend_from_slice(value);
    }

    pub(crate) fn bytes_head(&mut self, length: usize) {
        self.head(Major::Bytes, length as u64);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.head(Major::Text, value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn array(&mut self, length: u64) {
        self.head(Major::Array, length);
    }

    pub(crate) fn map(&mut self, length: u64) {
        self.head(Major::Map, length);
    }

    pub(crate) fn tag(&mut self, tag: u64) {
        self.head(Major::Tag, tag);
    }
}

/// Why bytes are not the expected deterministic CBOR. Offsets count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end inside an item.
    #[error("ends early at byte {0}")]
    Truncated(usize),
    /// An item of another type.
    #[error("expected {expected} at byte {offset}")]
    Expected {
        /// What belongs there.
        expected: &'static str,
        /// Where the item begins.
        offset: usize,
    },
    /// A head longer than needed, or an indefinite length.
    #[error("not deterministic CBOR at byte {0}")]
    NotDeterministic(usize),
    /// Something follows the last item.
    #[error("trailing data at byte {0}")]
    Trailing(usize),
}

/// Reads items from a slice.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` begins in the whole input, for error offsets.
    base: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, base: 0 }
    }

    /// A reader over the content of the byte string that comes next.
    pub(crate) fn embedded(&mut self) -> Result<Reader<'a>, CborError> {
        let content = self.bytes()?;
        Ok(Reader { bytes: content, at: 0, base: self.offset() - content.len() })
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(crate) fn offset(&self) -> usize {
        self.base + self.at
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CborError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(CborError::Truncated(self.base + self.bytes.len()))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// One head: major type and argument, refusing any longer than necessary.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let start = self.offset();
        let initial = self.take(1)?[0];
        let (argument, least) = match initial & 0x1f {
            small @ 0..=23 => (u64::from(small), 0),
            24 => (self.argument(1)?, 24),
            25 => (self.argument(2)?, 0x100),
            26 => (self.argument(4)?, 0x1_0000),
            27 => (self.argument(8)?, 0x1_0000_0000),
            _ => return Err(CborError::NotDeterministic(start)),
        };
        if argument < least {
            return Err(CborError::NotDeterministic(start));
        }
        Ok((initial >> 5, argument))
    }

    fn argument(&mut self, length: usize) -> Result<u64, CborError> {
        Ok(self.take(length)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn expect(&mut self, major: Major, expected: &'static str) -> Result<u64, CborError> {
        let offset = self.offset();
        match self.head()? {
            (found, argument) if found == major as u8 => Ok(argument),
            _ => Err(CborError::Expected { expected, offset }),
        }
    }

    pub(crate) fn uint(&mut self) -> Result<u64, CborError> {
        self.expect(Major::Unsigned, "an unsigned integer")
    }

    pub(crate) fn int(&mut self) -> Result<i64, CborError> {
        let offset = self.offset();
        let error = CborError::Expected { expected: "a 64-bit integer", offset };
        let (major, argument) = self.head()?;
        let magnitude = i64::try_from(argument).map_err(|_| error)?;
        match major {
            0 => Ok(magnitude),
            1 => Ok(!magnitude),
            _ => Err(error),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let length = self.expect(Major::Bytes, "a byte string")?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    pub(crate) fn byte_array<const N: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<[u8; N], CborError> {
        let offset = self.offset();
        self.bytes()?.try_into().map_err(|_| CborError::Expected { expected, offset })
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CborError> {
        let offset = self.offset();
        let length = self.expect(Major::Text, "a text string")?;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        std::str::from_utf8(bytes)
            .map_err(|_| CborError::Expected { expected: "UTF-8 text", offset })
    }

    pub(crate) fn array(&mut self) -> Result<u64, CborError> {
        self.expect(Major::Array, "an array")
    }

    pub(crate) fn map(&mut self) -> Result<u64, CborError> {
        self.expect(Major::Map, "a map")
    }

    pub(crate) fn tag(&mut self) -> Result<u64, CborError> {
        self.expect(Major::Tag, "a tag")
    }

    pub(crate) fn end(&self) -> Result<(), CborError> {
        if self.rest().is_empty() { Ok(()) } else { Err(CborError::Trailing(self.offset())) }
    }
}
