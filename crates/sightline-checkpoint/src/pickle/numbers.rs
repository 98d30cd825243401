//! Whole numbers of any size, and the escapes of protocol 0.

/// Bytes of the longest whole number that is read (512 bits); converting longer ones takes time that grows with
/// the square.
pub(super) const MAX_BYTES: u64 = 64;

/// A two's complement number, or its decimal text where it does not fit 64 bits.
pub(super) fn from_little_endian(bytes: &[u8]) -> Result<i64, String> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let significant = bytes
        .iter()
        .rposition(|byte| *byte != fill)
        .map_or(0, |last| last + 1);
    if significant < 8 || (significant == 8 && (bytes[7] & 0x80 != 0) == negative) {
        let mut low = [fill; 8];
        low[..significant].copy_from_slice(&bytes[..significant]);
        return Ok(i64::from_le_bytes(low));
    }
    let mut words: Vec<u32> = bytes
        .chunks(4)
        .map(|chunk| {
            let mut word = [fill; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            u32::from_le_bytes(word)
        })
        .collect();
    if negative {
        let mut carry = true;
        for word in &mut words {
            let (sum, over) = (!*word).overflowing_add(u32::from(carry));
            *word = sum;
            carry = over;
        }
        if carry {
            words.push(1);
        }
    }
    let mut groups = Vec::new();
    while words.iter().any(|word| *word != 0) {
        let mut rest = 0_u64;
        for word in words.iter_mut().rev() {
            let part = (rest << 32) | u64::from(*word);
            *word = (part / 1_000_000_000) as u32;
            rest = part % 1_000_000_000;
        }
        groups.push(rest);
    }
    let mut text = String::from(if negative { "-" } else { "" });
    for (position, group) in groups.iter().rev().enumerate() {
        if position == 0 {
            text.push_str(&group.to_string());
        } else {
            text.push_str(&format!("{group:09}"));
        }
    }
    Err(text)
}

/// A decimal number, or its text where it does not fit 64 bits; `None` if it is none or has over 160 digits.
pub(super) fn from_decimal(digits: &str) -> Option<Result<i64, String>> {
    if let Ok(number) = digits.parse::<i64>() {
        return Some(Ok(number));
    }
    let (sign, rest) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.strip_prefix('+').unwrap_or(digits)),
    };
    if rest.is_empty() || rest.len() > 160 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start_matches('0');
    let text = format!("{sign}{rest}");
    Some(text.parse::<i64>().map_or(Err(text), Ok))
}

/// Undoes the escapes of a Python 2 string literal.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let [kind, after @ ..] = rest else { return None };
        rest = after;
        match kind {
            b'\\' | b'\'' | b'"' => out.push(*kind),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'\n' => {}
            b'x' => {
                let [high, low, after @ ..] = rest else {
                    return None;
                };
                rest = after;
                out.push((hex(*high)? << 4) as u8 | hex(*low)? as u8);
            }
            b'0'..=b'7' => {
                let mut value = u32::from(kind - b'0');
                for _ in 0..2 {
                    let [digit @ b'0'..=b'7', after @ ..] = rest else {
                        break;
                    };
                    value = value * 8 + u32::from(digit - b'0');
                    rest = after;
                }
                out.push(value as u8);
            }
            other => out.extend([b'\\', *other]),
        }
    }
    Some(out)
}

/// Undoes \uXXXX and \UXXXXXXXX; other backslashes stand for themselves.
pub(super) fn unescape_unicode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let length = match (character, characters.clone().next()) {
            ('\\', Some('u')) => 4,
            ('\\', Some('U')) => 8,
            _ => {
                flush(&mut units, &mut out)?;
                out.push(character);
                continue;
            }
        };
        characters.next();
        let mut value = 0_u32;
        for _ in 0..length {
            value = value
                .checked_mul(16)?
                .checked_add(characters.next()?.to_digit(16)?)?;
        }
        match u16::try_from(value) {
            // A narrow Python 2 wrote characters beyond 65535 as two halves.
            Ok(unit) => units.push(unit),
            Err(_) => {
                flush(&mut units, &mut out)?;
                out.push(char::from_u32(value)?);
            }
        }
    }
    flush(&mut units, &mut out)?;
    Some(out)
}

fn flush(units: &mut Vec<u16>, out: &mut String) -> Option<()> {
    if !units.is_empty() {
        out.push_str(&String::from_utf16(units).ok()?);
        units.clear();
    }
    Some(())
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_any_size() {
        for number in [0, 1, -1, 127, 128, -128, -129, i64::MAX, i64::MIN, 1 << 40] {
            assert_eq!(from_little_endian(&number.to_le_bytes()), Ok(number));
        }
        assert_eq!(from_little_endian(&[]), Ok(0));
        assert_eq!(from_little_endian(&[0xff, 0]), Ok(255));
        let mut two_to_70 = [0_u8; 9];
        two_to_70[8] = 0x40;
        assert_eq!(
            from_little_endian(&two_to_70),
            Err("1180591620717411303424".to_owned())
        );
        two_to_70[8] = 0xc0;
        assert_eq!(
            from_little_endian(&two_to_70),
            Err("-1180591620717411303424".to_owned())
        );
        for number in [
            i128::MAX,
            i128::MIN,
            i128::MIN + 1,
            -(1 << 64),
            1 << 63,
            10_i128.pow(30),
        ] {
            assert_eq!(from_little_endian(&number.to_le_bytes()), Err(number.to_string()));
            assert_eq!(from_decimal(&number.to_string()), Some(Err(number.to_string())));
        }
        assert_eq!(from_decimal("-5"), Some(Ok(-5)));
        assert_eq!(from_decimal("00000000000000000000000007"), Some(Ok(7)));
        assert_eq!(from_decimal("5x"), None);
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(br"a\x41\n\\\'\101\q").unwrap(), b"aA\n\\'A\\q");
        assert!(unescape(br"\x4").is_none() && unescape(b"\\").is_none());
        assert_eq!(unescape_unicode(r"\u00e9\U0001f600\n").unwrap(), "é😀\\n");
        assert_eq!(unescape_unicode(r"\ud83d\ude00").unwrap(), "😀");
        assert!(unescape_unicode(r"\ud83d").is_none() && unescape_unicode(r"\u12").is_none());
    }
}
