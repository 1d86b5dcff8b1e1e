//! The node's policy against what a step asks for.

use super::Policy;
use crate::{origin::Origin, plan::Allow};

impl Policy {
    /// What `allow` asks for and this box refuses, one sentence each; empty when all is granted.
    ///
    /// Folders are compared as text, so that nothing here reads a disk: whoever opens a folder must still make sure
    /// that links do not lead out of it.
    #[must_use]
    pub fn refusals(&self, allow: &Allow) -> Vec<String> {
        let mut refusals = Vec::new();
        if let Some(allowed) = &self.http {
            let allowed: Vec<Origin> = allowed.iter().filter_map(|origin| Origin::parse(origin).ok()).collect();
            for wanted in &allow.http {
                let granted = Origin::parse(wanted).is_ok_and(|wanted| allowed.iter().any(|one| one.covers(&wanted)));
                if !granted {
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
                None => !is_absolute(wanted) && !crate::workflow::words::climbs(wanted),
            };
            if !granted {
                refusals
                    .push(format!("files may not be delivered to {wanted} on this box: it is not in [policy] deliver"));
            }
        }
        refusals
    }
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
}
