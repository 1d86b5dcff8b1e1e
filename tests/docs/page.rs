//! A Markdown page: its shell blocks and its links.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::repository::root;

/// A page.
pub struct Page {
    path: PathBuf,
    text: String,
}

/// A shell block.
pub struct Block {
    /// The line after its fence, from 1.
    pub line: usize,
    /// What is in it.
    pub text: String,
}

impl Block {
    /// Of a block that shows a terminal only what was typed: the lines with a prompt. The rest is output.
    fn typed(self) -> Self {
        let typed = self.text.lines().filter_map(|line| line.strip_prefix("$ "));
        let text = typed.map(|line| format!("{line}\n")).collect();
        Self { text, ..self }
    }
}

impl Page {
    /// Reads one.
    #[track_caller]
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path: path.to_owned(), text }
    }

    /// Its path in the repository.
    pub fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap()
    }

    /// Lines and their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The blocks that are run.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        // The fence's language, and the block in hand.
        let mut open: Option<(&str, Block)> = None;
        for (number, line) in self.lines() {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(language)) => {
                    open = Some((language.trim(), Block { line: number + 1, text: String::new() }))
                }
                (Some(_), Some(_)) => {
                    let (language, block) = open.take().unwrap();
                    match language {
                        "sh" => blocks.push(block),
                        "console" => blocks.push(block.typed()),
                        _ => {}
                    }
                }
                (Some((_, block)), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", self.name());
        blocks
    }

    /// The lines of all blocks that are run.
    pub fn commands(&self) -> impl Iterator<Item = String> {
        let lines = |block: Block| block.text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        self.blocks().into_iter().flat_map(lines)
    }

    /// Targets of links to files of the repository, without their anchors.
    pub fn links(&self) -> Vec<String> {
        let mut links = Vec::new();
        let mut in_code = false;
        for (_, line) in self.lines() {
            in_code ^= line.trim_start().starts_with("```");
            if in_code {
                continue;
            }
            for part in line.split("](").skip(1) {
                let target = part.split([')', ' ']).next().unwrap_or_default();
                let file = target.split('#').next().unwrap_or_default();
                if !file.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                    links.push(file.to_owned());
                }
            }
        }
        links
    }
}
