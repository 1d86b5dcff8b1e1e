//! Who somebody is: the name of a Unix user, from the box's own list.
//!
//! Only `/etc/passwd` is read. Users of a directory service go by their number; an approval may name them so.

use std::{fs::File, io::Read};

/// More of the list is not read.
const LONGEST_LIST: u64 = 1 << 20;

/// `ana` where the box knows a name, `uid 1000` elsewhere.
#[must_use]
pub fn user_name(uid: u32) -> String {
    let mut list = Vec::new();
    let read = File::open("/etc/passwd").and_then(|file| file.take(LONGEST_LIST).read_to_end(&mut list));
    let name = read.ok().and_then(|_| name_in(&String::from_utf8_lossy(&list), uid));
    name.unwrap_or_else(|| format!("uid {uid}"))
}

/// The first name of this number, as the system itself would say.
fn name_in(list: &str, uid: u32) -> Option<String> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid) && !name.is_empty() && !name.starts_with('#')).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts_and_odd_lines_are_passed_over() {
        let list =
            "root:x:0:0:root:/root:/bin/sh\n# ana:x:7:7\n#bo:x:7:7\n\nbroken\nana:x:7:7::/:/bin/sh\nbo:x:7:7::/:\n";
        assert_eq!(name_in(list, 0).as_deref(), Some("root"));
        assert_eq!(name_in(list, 7).as_deref(), Some("ana"));
        assert_eq!(name_in(list, 70), None);
    }
}
