//! `texthub consent judge FILE`: how many lines of a file are keywords, and how many look like a withdrawal. Needs no
//! servers and keeps nothing; texts are shown with --show alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use texthub::sms::keywords::{Wish, is_near_miss, keyword};

/// What to judge.
#[derive(Args, Clone, Debug)]
pub struct Judged {
    /// Texts, a line each.
    file: PathBuf,
    /// The text of a line is what follows its first tab; the first line is a heading.
    #[arg(long)]
    after_tab: bool,
    /// As texts of this customer's number: its country tells the languages.
    #[arg(long, default_value = "+15550100100")]
    number: String,
    /// Print the lines that were hit.
    #[arg(long)]
    show: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Judges it.
pub fn run(judged: &Judged) -> anyhow::Result<()> {
    let name = judged.file.display();
    let text = std::fs::read_to_string(&judged.file).map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
    let (mut lines, mut near) = (0_usize, 0_usize);
    let mut exact: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines().skip(usize::from(judged.after_tab)) {
        let line = if judged.after_tab { line.split_once('\t').map_or(line, |(_, text)| text) } else { line };
        lines += 1;
        let hit = match keyword(line, &judged.number) {
            Some(word) => {
                let hit = format!("{} {}", wish(word.wish), word.word);
                *exact.entry(hit.clone()).or_default() += 1;
                Some(hit)
            }
            None if is_near_miss(line, &judged.number) => {
                near += 1;
                Some("near".to_owned())
            }
            None => None,
        };
        if let Some(hit) = hit.filter(|_| judged.show) {
            println!("{hit}\t{line}");
        }
    }
    // a share for people: whole numbers of texts are far below where a float loses one
    #[expect(clippy::cast_precision_loss, reason = "a share in per cent")]
    let per_cent = if lines == 0 { 0.0 } else { near as f64 * 100.0 / lines as f64 };
    if judged.json {
        println!(
            "{:#}",
            json!({"lines": lines, "keywords": exact, "near_misses": near, "near_miss_per_cent": per_cent})
        );
        return Ok(());
    }
    println!("{lines} lines; {near} look like a withdrawal ({per_cent:.2} %)");
    for (hit, count) in &exact {
        println!("{count} {hit}");
    }
    Ok(())
}

fn wish(wish: Wish) -> &'static str {
    match wish {
        Wish::Stop => "stop",
        Wish::Start => "start",
        Wish::Help => "help",
        Wish::Yes => "yes",
    }
}
