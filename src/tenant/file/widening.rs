//! `widening` of a skill: who may have a contact that has waited for so long.

use super::super::reader::{Part, Reader, article};
use super::MONTH_S;

impl Reader<'_> {
    /// `widening = [{ after_s = 0, worst = 3 }, …]`: each step later, and wider, than the one before.
    pub(super) fn widening(&mut self, part: Part<'_>) -> Vec<(i32, i32)> {
        const INSTEAD: &str = "write widening = [{ after_s = 0, worst = 3 }, { after_s = 60, worst = 20 }]: seconds waited, 0 first and \
             rising, with the worst proficiency that may then have the contact, rising too";
        let Some(value) = part.table.get("widening") else { return Vec::new() };
        let line = self.line(value);
        let Some(steps) = value.get_ref().as_array() else {
            self.say(line, &format!("widening is {}", article(value.get_ref())), INSTEAD);
            return Vec::new();
        };
        let mut found: Vec<(i32, i32)> = Vec::with_capacity(steps.len());
        for step in steps {
            let line = self.line(step);
            let Some(table) = step.get_ref().as_table() else {
                self.say(line, &format!("a step of widening is {}", article(step.get_ref())), INSTEAD);
                continue;
            };
            let step = Part { what: "the step of widening", line, table };
            self.known(step, &["after_s", "worst"]);
            let after = self.number(step, "after_s", 0..=MONTH_S);
            let (Some(after), Some(worst)) = (after, self.number(step, "worst", 1..=20)) else {
                self.say(line, "the step of widening is not whole", INSTEAD);
                continue;
            };
            let fits = found.last().map_or(after == 0, |last| last.0 < after && last.1 < worst);
            if !fits {
                self.say(line, "the steps of widening do not rise", INSTEAD);
            }
            found.push((after, worst));
        }
        found
    }
}
