//! The node's policy against what a step asks for.

use super::Policy;
use crate::{origin::Origin, plan::Allow};

impl Policy {
    /// What is left of `allow` on this box: never more than either side permits.
    #[must_use]
    pub fn restrict(&self, allow: &Allow) -> Allow {
        let both = |wanted: &[String], allowed: &Option<Vec<String>>, covers: &dyn Fn(&str, &str) -> bool| match allowed
        {
            None => wanted.to_vec(),
            Some(allowed) => {
                let inside = wanted.iter().filter(|wanted| allowed.iter().any(|allowed| covers(allowed, wanted)));
                let narrower = allowed.iter().filter(|allowed| wanted.iter().any(|wanted| covers(wanted, allowed)));
                let mut left: Vec<String> = inside.cloned().collect();
                left.extend(narrower.filter(|narrow| !wanted.contains(narrow)).cloned());
                left
            }
        };
        let mut deliver = both(&allow.deliver, &self.deliver, &|folder, path| is_below(path, folder));
        if self.deliver.is_none() {
            deliver.retain(|folder| inside_project(folder));
        }
        Allow {
            http: both(&allow.http, &self.http, &covers),
            private_network: allow.private_network && self.private_network != Some(false),
            models: allow.models.clone(),
            state: allow.state,
            deliver,
        }
    }

    /// What `allow` asks for and this box refuses, one sentence each; empty when all is granted.
    ///
    /// Folders are compared as text, so that nothing here reads a disk: whoever opens a folder must still make sure
    /// that links do not lead out of it.
    #[must_use]
    pub fn refusals(&self, allow: &Allow) -> Vec<String> {
        let mut refusals = Vec::new();
        if let Some(allowed) = &self.http {
            for wanted in &allow.http {
                if !allowed.iter().any(|allowed| covers(allowed, wanted)) {
                    refusals.push(format!("{wanted} may not be called on this box: it is not in [policy] http"));
                }
            }
        }
        if allow.private_network && self.private_network == Some(false) {
            refusals
                .push("private networks may not be called on this box: [policy] private_network is false".to_owned());
        }
        for wanted in &allow.deliver {
            let granted = match &self.deliver {
                Some(allowed) => allowed.iter().any(|folder| is_below(wanted, folder)),
                None => inside_project(wanted),
            };
            if !granted {
                refusals
                    .push(format!("files may not be delivered to {wanted} on this box: it is not in [policy] deliver"));
            }
        }
        refusals
    }
}

/// Whether the origin `wide` covers the origin `narrow`; what is no origin covers nothing.
fn covers(wide: &str, narrow: &str) -> bool {
    matches!((Origin::parse(wide), Origin::parse(narrow)), (Ok(wide), Ok(narrow)) if wide.covers(&narrow))
}

fn inside_project(path: &str) -> bool {
    !is_absolute(path) && !crate::workflow::words::climbs(path)
}

fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':')
}

/// Whether `path` is `folder` or below it. `.` is the project and everything below it.
fn is_below(path: &str, folder: &str) -> bool {
    if is_absolute(path) != is_absolute(folder) || crate::workflow::words::climbs(path) {
        return false;
    }
    let segments = |path: &str| -> Vec<String> {
        path.split(['/', '\\']).filter(|segment| !matches!(*segment, "" | ".")).map(str::to_owned).collect()
    };
    segments(path).starts_with(&segments(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(http: &[&str], deliver: &[&str], private_network: bool) -> Allow {
        Allow {
            http: http.iter().map(ToString::to_string).collect(),
            deliver: deliver.iter().map(ToString::to_string).collect(),
            private_network,
            ..Allow::default()
        }
    }

    #[test]
    fn without_a_policy_workflows_decide_but_stay_below_the_project() {
        let policy = Policy::default();
        assert!(policy.refusals(&asking(&["https://a.example"], &["out", "./x/y"], true)).is_empty());
        assert_eq!(policy.refusals(&asking(&[], &["/srv/out"], false)).len(), 1);
        assert_eq!(policy.refusals(&asking(&[], &["out/../.."], false)).len(), 1);
    }

    #[test]
    fn a_policy_bounds_what_workflows_get() {
        let policy = Policy {
            http: Some(vec!["https://a.example/v1".to_owned()]),
            deliver: Some(vec!["/srv/out".to_owned(), "reports".to_owned()]),
            private_network: Some(false),
        };
        let granted = asking(&["https://a.example/v1/x"], &["/srv/out/a", "reports"], false);
        assert!(policy.refusals(&granted).is_empty());
        let refused = asking(&["https://a.example"], &["/srv/outer", "other", "/"], true);
        assert_eq!(policy.refusals(&refused).len(), 5);
    }

    #[test]
    fn a_step_gets_what_both_sides_permit() {
        let policy = Policy {
            http: Some(vec!["https://a.example/v1".to_owned(), "https://b.example".to_owned()]),
            deliver: Some(vec!["out/reports".to_owned()]),
            private_network: Some(false),
        };
        let wish = asking(&["https://a.example", "https://b.example/x", "https://c.example"], &["out", "/srv"], true);
        let left = policy.restrict(&wish);
        assert_eq!(left.http, ["https://b.example/x", "https://a.example/v1"]);
        assert_eq!(left.deliver, ["out/reports"]);
        assert!(!left.private_network);
        let free = Policy::default().restrict(&asking(&["https://a.example"], &["out", "/srv", "../x"], true));
        assert_eq!((free.http.len(), free.deliver, free.private_network), (1, vec!["out".to_owned()], true));
    }
}
