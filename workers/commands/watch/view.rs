//! The screen: counts on top, agents left, rooms right.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Table};

use super::reading::{Agent, Reading};

/// Draws a reading.
pub fn draw(frame: &mut Frame<'_>, reading: &Reading) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(4), Constraint::Min(5), Constraint::Length(1)]).areas(frame.area());
    frame.render_widget(counts(reading), top);
    let [left, right] = Layout::horizontal([Constraint::Percentage(45), Constraint::Percentage(55)]).areas(middle);
    frame.render_widget(agents(reading), left);
    frame.render_widget(rooms(reading), right);
    let foot = "q or Ctrl-C ends · numbers are shortened, texts are not shown · in another shell: texthub transcripts, audit, dead list";
    frame.render_widget(Paragraph::new(foot).dark_gray(), bottom);
}

fn counts(reading: &Reading) -> Paragraph<'static> {
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let rate = |in_a_minute: i64| format!("{in_a_minute} ({:.1}/s)", in_a_minute as f64 / 60.0);
    let figure = |name: &'static str, value: String| {
        [Span::raw(format!(" {name} ")).dark_gray(), Span::styled(value, Style::new().add_modifier(Modifier::BOLD))]
    };
    let expiry = reading.next_expiry_s.map_or("–".to_owned(), |s| clock(s.max(0.0)));
    let first: Vec<Span<'static>> = [
        figure("rooms open", reading.rooms_open.to_string()),
        figure("waiting", reading.waiting.to_string()),
        figure("longest", clock(reading.longest_wait_s)),
        figure("offered", reading.offered.to_string()),
        figure("active", reading.active.to_string()),
        figure("wrap-up", reading.wrap_up.to_string()),
        figure("next expiry", expiry),
    ]
    .concat();
    let second: Vec<Span<'static>> = [
        figure("last minute: texts in", rate(reading.texts_in)),
        figure("out", rate(reading.texts_out)),
        figure("unsent", reading.sms_unsent.to_string()),
        figure("closed in an hour", reading.rooms_closed.to_string()),
        figure("dead letters", reading.dead.to_string()),
    ]
    .concat();
    Paragraph::new(vec![Line::from(first), Line::from(second)]).block(Block::bordered().title(" texthub "))
}

/// Hours, minutes and seconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a span of seconds")]
fn clock(seconds: f64) -> String {
    let s = seconds as u64;
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

fn agents(reading: &Reading) -> Table<'static> {
    let rows = reading.agents.iter().map(|agent| {
        let colour = match agent.state.as_str() {
            "available" => Color::Green,
            "unavailable" => Color::Yellow,
            _ => Color::DarkGray,
        };
        let state = agent.code.as_ref().map_or(agent.state.clone(), |code| format!("{} ({code})", agent.state));
        Row::new([agent.agent.clone(), state, gauge(agent), channels(agent)]).style(Style::new().fg(colour))
    });
    let widths = [Constraint::Min(12), Constraint::Length(14), Constraint::Length(18), Constraint::Length(19)];
    Table::new(rows, widths)
        .header(Row::new(["agent", "state", "slots", ""]).bold())
        .block(Block::bordered().title(" agents "))
}

/// Contacts by channel, with the limits of their own.
fn channels(agent: &Agent) -> String {
    let of = |used: i32, limit: Option<i32>| limit.map_or(used.to_string(), |limit| format!("{used}/{limit}"));
    format!("{} sms {} chat", of(agent.sms, agent.sms_limit), of(agent.chat, agent.chat_limit))
}

/// One mark a slot.
fn gauge(agent: &Agent) -> String {
    let (used, limit) = (usize::try_from(agent.slots_used).unwrap_or(0), usize::try_from(agent.limit).unwrap_or(0));
    format!("{}{} {used}/{limit}", "■".repeat(used.min(12)), "□".repeat(limit.saturating_sub(used)))
}

fn rooms(reading: &Reading) -> Table<'static> {
    let rows = reading.rooms.iter().map(|room| {
        let waited = clock(reading.at.duration_since(room.since).as_secs_f64().max(0.0));
        let left =
            room.deadline_at.map_or("–".to_owned(), |at| clock(at.duration_since(reading.at).as_secs_f64().max(0.0)));
        let colour = match room.state.as_str() {
            "queued" => Color::Red,
            "offered" => Color::Yellow,
            _ => Color::Reset,
        };
        Row::new([
            room.customer.clone(),
            room.channel.clone(),
            room.skill.clone(),
            room.state.clone(),
            room.agent.clone().unwrap_or_else(|| "–".into()),
            room.entries.to_string(),
            waited,
            left,
        ])
        .style(Style::new().fg(colour))
    });
    let widths = [
        Constraint::Length(9),
        Constraint::Length(5),
        Constraint::Min(8),
        Constraint::Length(8),
        Constraint::Min(10),
        Constraint::Length(5),
        Constraint::Length(8),
        Constraint::Length(8),
    ];
    Table::new(rows, widths)
        .header(Row::new(["customer", "by", "skill", "state", "agent", "texts", "since", "expires"]).bold())
        .block(Block::bordered().title(" rooms "))
}
