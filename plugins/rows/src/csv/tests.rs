use std::io::BufReader;

use super::*;

/// All records as text, the reason of a broken one after `!`; whatever the size of the buffer.
#[track_caller]
fn records(text: impl AsRef<[u8]>) -> Vec<(u64, String)> {
    let text = text.as_ref();
    let read = |size| {
        let mut reader = Reader::new(BufReader::with_capacity(size, text), b',');
        let (mut record, mut all, mut raw) = (Record::default(), Vec::new(), Vec::new());
        while reader.read(&mut record).unwrap() {
            let mut line = record.fields().map(|field| field.unwrap_or("?")).collect::<Vec<_>>().join("|");
            if let Some(broken) = record.broken {
                line = format!("{line} !{}", broken.reason());
            }
            all.push((record.line, line));
            raw.extend_from_slice(&record.raw);
        }
        (all, raw)
    };
    let (all, raw) = read(4_096);
    for size in [1, 2, 3, 5] {
        assert_eq!(read(size), (all.clone(), raw.clone()), "a buffer of {size} bytes");
    }
    // Nothing but blank lines and a mark is left out of the bytes.
    let kept = |bytes: &[u8]| bytes.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).count();
    let mark = if text.starts_with(&crate::BYTE_ORDER_MARK) { 3 } else { 0 };
    assert_eq!(kept(&raw) + mark, kept(text));
    all
}

fn texts(text: &str) -> Vec<String> {
    records(text).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn lines_end_at_a_line_feed_a_carriage_return_or_both() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["a,b", "\"1\",2", "", "3,\"x", "y\"", "5,6"].join(end);
        let expected = [(1, "a|b".to_owned()), (2, "1|2".to_owned()), (4, format!("3|x{end}y")), (6, "5|6".to_owned())];
        assert_eq!(records(&text), expected, "{end:?}");
        assert_eq!(records(text + end), expected, "{end:?} at the end");
    }
    assert_eq!(texts("a\r\rb\n\rc\r\n\r\nd"), ["a", "b", "c", "d"]);
}

#[test]
fn fields_and_quotes_are_those_of_the_standard() {
    assert_eq!(texts("a,b\n1,\n,\n"), ["a|b", "1|", "|"]);
    assert_eq!(texts("\"x,\"\"y\"\"\"\r\n\"\"\n\"\",\"a\""), ["x,\"y\"", "", "|a"]);
    assert_eq!(texts("\u{feff}\"a\",b\n"), ["a|b"]);
    // Half a mark is text that is none.
    assert_eq!(records(b"\xef\xbb,b\n")[0].1, "?|b !not UTF-8");
    assert!(texts("").is_empty() && texts("\u{feff}").is_empty() && texts("\n\r\n\r").is_empty());
}

#[test]
fn what_is_wrong_is_told_and_not_repaired() {
    assert_eq!(texts("a\"b,c\n"), ["a\"b|c !a quote inside of an unquoted field"]);
    assert_eq!(texts("\"a\"b,c\n"), ["ab|c !text after a closing quote"]);
    assert_eq!(texts("\"a\" ,c\n"), ["a |c !text after a closing quote"]);
    assert_eq!(texts("1,\"open\n2,3\n"), ["1|open\n2,3\n !a quote that is never closed"]);
    assert_eq!(texts("a,\0b\n"), ["a|\0b !a NUL byte; is the file UTF-16?"]);
    assert_eq!(records(b"a,\xff\n")[0].1, "a|? !not UTF-8");
    // A character that is cut in two by a delimiter is two pieces of none.
    assert_eq!(records(b"\xc3,\xa9\n")[0].1, "?|? !not UTF-8");
}

#[test]
fn a_record_without_end_is_given_up_before_memory_is() {
    for endless in [&b"x"[..], b"\n", b",", b"\"\"", b"\xff"] {
        let text = [b"a\n".to_vec(), b"\"".to_vec(), endless.repeat(2 * MAX_ROW)].concat();
        let mut reader = Reader::new(BufReader::new(text.as_slice()), b',');
        let mut record = Record::default();
        assert!(reader.read(&mut record).unwrap());
        assert!(matches!(reader.read(&mut record), Err(ReadError::TooLong { line: 2 })), "{endless:?}");
    }
}

fn names(text: &[u8]) -> Result<Vec<String>, String> {
    let mut record = Record::default();
    assert!(Reader::new(text, b',').read(&mut record).unwrap());
    header(&record).map_err(|error| error.to_string())
}

#[test]
fn a_header_has_each_name_once_without_the_space_around_it() {
    assert_eq!(names(b" a,\"b \",\tc\n").unwrap(), ["a", "b", "c"]);
    assert_eq!(names(b",a,\n").unwrap(), ["column_1", "a", "column_3"]);
    for (text, part) in [
        (&b"a, a\n"[..], "`a` is there twice"),
        (b"column_2,\n", "`column_2` is there twice"),
        (b"a,\xff\n", "not UTF-8"),
        (b"a\0,b\n", "NUL"),
        (b"a\"b\n", "a quote"),
    ] {
        assert!(names(text).unwrap_err().contains(part), "{text:?}");
    }
    assert!(names(&b",".repeat(MAX_COLUMNS)).unwrap_err().contains("16385 columns"));
}

/// The records of `csv-core`, which a thousand programs read CSV with.
fn by_csv_core(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (mut core, mut all) = (csv_core::Reader::new(), Vec::new());
    let (mut fields, mut ends, mut rest) = (vec![0; 4_096], vec![0; 512], text);
    let (mut wrote, mut ended) = (0, 0);
    loop {
        let (result, nin, nout, nends) = core.read_record(rest, &mut fields[wrote..], &mut ends[ended..]);
        (rest, wrote, ended) = (&rest[nin..], wrote + nout, ended + nends);
        match result {
            csv_core::ReadRecordResult::Record => {
                let starts = std::iter::once(0).chain(ends[..ended].iter().copied());
                all.push(starts.zip(&ends[..ended]).map(|(start, end)| fields[start..*end].to_vec()).collect());
                (wrote, ended) = (0, 0);
            }
            csv_core::ReadRecordResult::End => return all,
            csv_core::ReadRecordResult::InputEmpty => {}
            full => panic!("{full:?}"),
        }
    }
}

#[test]
fn where_nothing_is_broken_csv_core_reads_the_same() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    const PIECES: [&[u8]; 12] =
        [b"a", b",", b"\"", b"\"\"", b"\n", b"\r", b"\r\n", b" ", b"\xc3\xa9", b"\xff", b"\0", b"1.5"];
    let mut compared = 0;
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..next(24)).flat_map(|_| PIECES[next(PIECES.len())].to_vec()).collect();
        let (mut reader, mut record, mut own) = (Reader::new(text.as_slice(), b','), Record::default(), Vec::new());
        let mut whole = true;
        while reader.read(&mut record).unwrap() {
            whole &= !matches!(record.broken, Some(Broken::TextAfterQuote | Broken::StrayQuote | Broken::OpenQuote));
            own.push((0..record.len()).map(|at| record.bytes(at).unwrap().to_vec()).collect::<Vec<_>>());
        }
        if whole {
            compared += 1;
            assert_eq!(own, by_csv_core(&text), "{:?}", String::from_utf8_lossy(&text));
        }
    }
    assert!(compared > 5_000, "{compared}");
}
