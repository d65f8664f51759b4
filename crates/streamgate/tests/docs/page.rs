//! The code of a page: its fenced blocks, in their order.

use std::fs;

use streamgate_testkit::repository;

/// A fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// What stands behind the fence: `sh`, `js`, `toml`, or nothing for a picture.
    pub(super) language: String,
    pub(super) text: String,
    /// The last file that the text before it names in backticks.
    pub(super) file: Option<String>,
}

/// The blocks of a page under `docs/`.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let page = fs::read_to_string(repository("docs").join(page)).unwrap();
    let mut blocks = Vec::new();
    let mut rest = page.as_str();
    while let Some((before, fenced)) = rest.split_once("\n```") {
        let (language, text) = fenced.split_once('\n').unwrap();
        let (text, after) = text.split_once("\n```").expect("the fence ends");
        let paragraph = before.rsplit("\n\n").next().unwrap_or_default();
        let names = paragraph.split('`').skip(1).step_by(2);
        blocks.push(Block {
            language: language.to_owned(),
            text: format!("{text}\n"),
            file: names
                .filter(|name| name.ends_with(".mjs"))
                .last()
                .map(str::to_owned),
        });
        rest = after;
    }
    blocks
}
