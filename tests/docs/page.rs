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

/// A fenced block.
pub struct Block {
    /// The line after its fence, from 1.
    pub line: usize,
    /// The language of its fence.
    pub language: String,
    /// The file that it shows, where the comment `<!-- file: PATH -->` before it says so.
    pub file: Option<String>,
    /// What is in it.
    pub text: String,
}

impl Block {
    /// What of it a shell runs: all, or of a block that shows a terminal what was typed, the lines with a prompt.
    fn runs(self) -> Option<Self> {
        match self.language.as_str() {
            "sh" => Some(self),
            "console" => {
                let typed = self.text.lines().filter_map(|line| line.strip_prefix("$ "));
                let text = typed.map(|line| format!("{line}\n")).collect();
                Some(Self { text, ..self })
            }
            _ => None,
        }
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
        self.fenced().into_iter().filter_map(Block::runs).collect()
    }

    /// All fenced blocks.
    pub fn fenced(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut named: Option<String> = None;
        for (number, line) in self.lines() {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(language)) => {
                    let language = language.trim().to_owned();
                    open = Some(Block { line: number + 1, language, file: named.take(), text: String::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {
                    let file = line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->"));
                    named = file.map(str::to_owned).or(named.filter(|_| line.is_empty()));
                }
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
