//! The first workflow of a new project.

/// The text of a small workflow called `name` that loads as it is and can be run as it is: it uses only the bundled
/// `echo` plugin. Characters that a name cannot have are replaced.
#[must_use]
pub fn scaffold_workflow(name: &str) -> String {
    let clean: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(60)
        .collect();
    let clean = match clean.trim_matches('-') {
        "" => "my-workflow",
        clean => clean,
    };
    TEXT.replace("NAME", clean)
}

const TEXT: &str = "\
version: 1
name: NAME
description: Says hello; change it into something useful.

# Values that a run can be given: trackside run NAME -p greeting=Moin
params:
  greeting: { type: string, default: Hello }

# What starts a run by itself. Take the # away from what you need.
triggers: []
#  - file: { path: inbox, glob: \"**/*.csv\" }
#  - cron: { schedule: \"30 2 * * *\", timezone: Europe/Paris }

steps:
  hello:
    plugin: echo
    with: { value: \"${params.greeting}, ${run.workflow}!\" }

  # Runs after `hello`, sees its output, and is skipped when the condition is false.
  shout:
    needs: [hello]
    when: size(steps.hello.value) < 100
    plugin: echo
    with: { value: \"${steps.hello.value.upperAscii()}\" }
";
