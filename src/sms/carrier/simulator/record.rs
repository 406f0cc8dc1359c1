//! The simulator's record: every submission it took, every text of a simulated phone, every receipt it sent. A file of
//! JSON lines that only grows, read again at start; a line torn by a kill is cut off. Held in memory whole.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Submit;
use super::receipts::Receipt;
use crate::facts::ids::FactId;

/// One submission as it was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submission {
    /// From 1, in the order of taking.
    pub nr: u64,
    /// When.
    pub at: Timestamp,
    /// What was submitted.
    #[serde(flatten)]
    pub submit: Submit,
    /// The parts' ids, in order.
    pub carrier_sms_ids: Vec<String>,
    /// The receipts that are to be sent for it.
    pub receipts: Vec<Receipt>,
}

/// One text of a simulated phone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inbound {
    /// Id of its `sms.received`.
    pub id: FactId,
    /// When.
    pub at: Timestamp,
    /// The carrier's id.
    pub carrier_sms_id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Submission(Submission),
    Inbound(Inbound),
    ReceiptsSent { ids: Vec<FactId> },
}

/// The open record.
#[derive(Debug)]
pub(super) struct Record {
    file: File,
    /// In order; `nr` is the place from 1.
    pub submissions: Vec<Submission>,
    /// What phones sent, and when: a phone's repeat keeps the time of the first.
    inbound: HashMap<FactId, Timestamp>,
    sent: HashSet<FactId>,
}

impl Record {
    /// Opens the record in a folder, which is made where it is missing.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("record.jsonl");
        let known = match std::fs::read_to_string(&path) {
            Ok(known) => known,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let whole = known.rfind('\n').map_or(0, |at| at + 1);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(whole as u64)?;
        let mut record = Self { file, submissions: Vec::new(), inbound: HashMap::new(), sent: HashSet::new() };
        for line in known[..whole].lines() {
            match serde_json::from_str(line).map_err(io::Error::other)? {
                Line::Submission(submission) => record.submissions.push(submission),
                Line::Inbound(inbound) => {
                    record.inbound.insert(inbound.id, inbound.at);
                }
                Line::ReceiptsSent { ids } => record.sent.extend(ids),
            }
        }
        Ok(record)
    }

    /// Receipts that were planned and not sent yet.
    pub fn pending(&self) -> Vec<Receipt> {
        self.submissions.iter().flat_map(|s| &s.receipts).filter(|r| !self.sent.contains(&r.id())).cloned().collect()
    }

    /// Takes a submission.
    pub fn take(&mut self, submission: Submission) -> io::Result<()> {
        self.write(&Line::Submission(submission.clone()))?;
        self.submissions.push(submission);
        Ok(())
    }

    /// How many texts phones sent.
    pub fn inbound(&self) -> usize {
        self.inbound.len()
    }

    /// Keeps a phone's text; the first one where it is a repeat.
    pub fn heard(&mut self, mut inbound: Inbound) -> io::Result<Inbound> {
        if let Some(first) = self.inbound.get(&inbound.id) {
            inbound.at = *first;
            return Ok(inbound);
        }
        self.write(&Line::Inbound(inbound.clone()))?;
        self.inbound.insert(inbound.id, inbound.at);
        Ok(inbound)
    }

    /// Keeps that receipts were sent and confirmed.
    pub fn receipts_sent(&mut self, ids: Vec<FactId>) -> io::Result<()> {
        self.sent.extend(&ids);
        self.write(&Line::ReceiptsSent { ids })
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}
