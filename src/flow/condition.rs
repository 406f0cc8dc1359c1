//! Conditions in CEL, bounded before they run: CEL without macros has no loop, so an expression of few tokens over short
//! inputs ends soon, and there is nothing to interrupt. Compiled at publishing; names that nobody knows are refused then.
//! It reads nothing but the values it is handed.

use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::objects::Key;
use cel::{Context, Env, Program, Value as Cel};
use serde_json::{Map, Value};

/// Most bytes of a source.
pub const MAX_SOURCE: usize = 2_048;
/// Most tokens of a source: what an evaluation costs, and how deep it goes, follows from them.
pub const MAX_TOKENS: usize = 200;
/// Deepest nesting of brackets and signs.
pub const MAX_DEPTH: usize = 24;
/// Most characters of a text that comes out.
pub const MAX_TEXT: usize = 1_600;

/// The functions that there are, beside operators.
const FUNCTIONS: &[&str] = &["size", "contains", "startsWith", "endsWith", "int", "double", "string"];
/// The operators, by CEL's own names.
const OPERATORS: &[&str] = &[
    "_+_", "_-_", "_*_", "_/_", "_%_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "-_",
    "_?_:_", "_[_]", "@in",
];

/// The environment of all conditions.
#[derive(Clone)]
pub struct Language(Arc<Env>);

impl Default for Language {
    fn default() -> Self {
        Self(Arc::new(Env::default().with_optional_support(false).with_stdlib()))
    }
}

/// Bytes of stack in which the deepest condition that is allowed can be compiled and evaluated, in a debug build, too.
const ROOM: usize = 32 * 1024 * 1024;

/// Does something with conditions on a stack that has room for them. Compiler and evaluation call themselves for each
/// level of an expression, in frames so large that the stack of a runtime's thread would not do.
///
/// # Panics
/// Where the machine has no thread to give, or the work itself does.
pub fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(ROOM).spawn_scoped(scope, work);
        let thread = thread.unwrap_or_else(|error| panic!("no thread for conditions: {error}"));
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A compiled condition.
pub struct Condition {
    program: Program,
    env: Arc<Env>,
    roots: Vec<String>,
    /// What an evaluation costs: its tokens.
    pub cost: u32,
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Condition").field("roots", &self.roots).finish_non_exhaustive()
    }
}

/// A name that a condition reads: `contact`, or `contact` and its field.
pub type Name = (String, Option<String>);

impl Language {
    /// Compiles a source.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn compile(&self, source: &str) -> Result<(Condition, Vec<Name>), String> {
        let cost = u32::try_from(bounded(source)?).unwrap_or(u32::MAX).max(1);
        let program = self.0.compile(source).map_err(|errors| {
            let first = errors.to_string();
            format!("it does not compile: {}", first.lines().next().unwrap_or_default())
        })?;
        let mut walk = Walk { names: Vec::new(), unknown: Vec::new() };
        walk.expression(program.expression());
        if let Some(unknown) = walk.unknown.first() {
            return Err(format!("there is no {unknown}; functions are {}", FUNCTIONS.join(", ")));
        }
        let mut roots: Vec<String> = walk.names.iter().map(|name| name.0.clone()).collect();
        roots.sort_unstable();
        roots.dedup();
        Ok((Condition { program, env: Arc::clone(&self.0), roots, cost }, walk.names))
    }
}

/// Refuses what would cost too much to compile or to run; how many tokens it has. Strings are told from the rest as the
/// compiler tells them: what could make the two disagree (escapes, triple quotes, comments, a string over a line's end)
/// is refused, or code could pass as a string and go uncounted.
fn bounded(source: &str) -> Result<usize, String> {
    if source.len() > MAX_SOURCE {
        return Err(format!("it has {} bytes, at most {MAX_SOURCE} are allowed", source.len()));
    }
    if source.contains('\\') || source.contains("'''") || source.contains("\"\"\"") {
        return Err("it has a backslash or a triple quote; write strings in plain quotes of either kind".into());
    }
    let (mut tokens, mut depth, mut deepest, mut signs) = (0_usize, 0_usize, 0_usize, 0_usize);
    let (mut quote, mut before) = (None::<char>, ' ');
    for c in source.chars() {
        if let Some(open) = quote {
            if c.is_control() {
                return Err("a string goes over the end of its line".into());
            }
            quote = (c != open).then_some(open);
            before = ' ';
            continue;
        }
        if c == '/' && before == '/' {
            return Err("it has a comment".into());
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        tokens += usize::from(!(c.is_whitespace() || is_word(c) && is_word(before)));
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' | '?' => signs += 1,
            _ => {}
        }
        deepest = deepest.max(depth);
        before = c;
    }
    if quote.is_some() {
        return Err("a quote is left open".into());
    }
    if tokens > MAX_TOKENS {
        return Err(format!("it has {tokens} names, numbers and signs, at most {MAX_TOKENS} are allowed"));
    }
    if deepest + signs > MAX_DEPTH {
        return Err(format!("it is nested too deep, at most {MAX_DEPTH} brackets, `!`, `-` and `?` are allowed"));
    }
    Ok(tokens)
}

/// What an expression reads and calls.
struct Walk {
    names: Vec<Name>,
    unknown: Vec<String>,
}

impl Walk {
    fn expression(&mut self, expression: &IdedExpr) {
        match &expression.expr {
            Expr::Ident(name) => self.names.push((name.clone(), None)),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(root) => self.names.push((root.clone(), Some(select.field.clone()))),
                _ => self.expression(&select.operand),
            },
            Expr::Call(call) => {
                let name = call.func_name.as_str();
                if !FUNCTIONS.contains(&name) && !OPERATORS.contains(&name) {
                    self.unknown.push(format!("function {name}"));
                }
                if let (Some(Expr::Ident(root)), Some(Expr::Literal(LiteralValue::String(field)))) =
                    (call.args.first().map(|a| &a.expr), call.args.get(1).map(|a| &a.expr))
                    && name == "_[_]"
                {
                    self.names.push((root.clone(), Some(field.inner().to_owned())));
                    return;
                }
                for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
                    self.expression(part);
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.expression(&entry.key);
                        self.expression(&entry.value);
                    }
                }
            }
            Expr::Literal(_) => {}
            Expr::Comprehension(_) | Expr::Struct(_) | Expr::Unspecified => self.unknown.push("such expression".into()),
        }
    }
}

impl Condition {
    /// Its value. `values` are the roots it may read.
    ///
    /// # Errors
    /// Why there is none, in a word: values of the wrong kind, a missing key, a text that is too long.
    pub fn evaluate(&self, values: &Map<String, Value>) -> Result<Value, &'static str> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        for root in &self.roots {
            if let Some(value) = values.get(root) {
                context.add_variable_from_value(root.as_str(), into_cel(value));
            }
        }
        let value = self.program.execute(&context).map_err(|_| "no_value")?;
        match value.json().map_err(|_| "no_value")? {
            Value::String(text) if text.chars().count() > MAX_TEXT => Err("too_long"),
            value if weight(&value) > 4_096 => Err("too_long"),
            value => Ok(value),
        }
    }
}

/// Bytes of a value as JSON.
#[must_use]
pub fn weight(value: &Value) -> usize {
    value.to_string().len()
}

fn into_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(is) => Cel::Bool(*is),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or(0.0)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(into_cel).collect())),
        Value::Object(fields) => {
            let map: std::collections::HashMap<Key, Cel> =
                fields.iter().map(|(name, value)| (Key::String(Arc::new(name.clone())), into_cel(value))).collect();
            map.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Map<String, Value> {
        let Value::Object(values) = json!({"vars": {"n": 3, "name": "Goldilocks", "list": ["a"]}, "text": "x".repeat(1_600),
                                           "queue": {"sms": {"length": 2}}})
        else {
            unreachable!()
        };
        values
    }

    fn value(source: &str) -> Result<Value, String> {
        with_room(|| in_room(source))
    }

    fn in_room(source: &str) -> Result<Value, String> {
        let (condition, _) = Language::default().compile(source)?;
        condition.evaluate(&values()).map_err(str::to_owned)
    }

    #[test]
    fn it_computes_with_whole_numbers_texts_and_lists() {
        assert_eq!(value("vars.n * 2 + 1"), Ok(json!(7)));
        assert_eq!(value("vars.name + '!'"), Ok(json!("Goldilocks!")));
        assert_eq!(value("queue['sms'].length > 1 && 'a' in vars.list"), Ok(json!(true)));
        assert_eq!(value("size(text) == 1600 ? 'long' : 'short'"), Ok(json!("long")));
        assert_eq!(value("vars.name.startsWith('Gold')"), Ok(json!(true)));
    }

    #[test]
    fn names_are_told_with_their_fields() {
        let (_, names) = Language::default().compile("vars.n > size(text) || queue['sms'].length > 0").unwrap();
        let expected = [("vars", Some("n")), ("text", None), ("queue", Some("sms"))];
        assert_eq!(names, expected.map(|(root, field)| (root.to_owned(), field.map(str::to_owned))));
    }

    #[test]
    fn loops_and_unknown_functions_are_no_part_of_the_language() {
        for source in
            ["[1, 2].map(x, x * 2)", "[1].exists(x, x > 0)", "text.matches('(a+)+$')", "type(text)", "Foo{a: 1}"]
        {
            assert!(Language::default().compile(source).is_err(), "{source}");
        }
        assert!(Language::default().compile("1 +").unwrap_err().contains("does not compile"));
    }

    #[test]
    fn what_would_cost_too_much_is_refused_before_it_is_compiled() {
        let hostile = [
            "1".to_owned() + &"+1".repeat(1_000),
            "(".repeat(900) + "1" + &")".repeat(900),
            "!".repeat(2_000) + "true",
            "[".repeat(500) + &"]".repeat(500),
            "text".to_owned() + &".a".repeat(500),
            "true".to_owned() + &"||true".repeat(300),
            "'".to_owned() + &"x".repeat(2_100) + "'",
            "true?".repeat(300) + "1" + &":1".repeat(300),
            // what would be code to the compiler and a string to who counts
            r"r'\' + 1".to_owned() + &"+1".repeat(900),
            r"'\\' + 1".to_owned() + &"+1".repeat(900),
            r"'\' + ' + 1".to_owned() + &"+1".repeat(900) + r" + '\' '",
            "'''a'b''' + 1".to_owned() + &"+1".repeat(900),
            "1 // '\n".to_owned() + &"+1".repeat(900),
            "'\n + 1".to_owned() + &"+1".repeat(900),
            "1 + '".to_owned() + &"+1".repeat(900),
        ];
        for source in hostile {
            let watch = crate::runtime::clock::Stopwatch::start();
            assert!(Language::default().compile(&source).is_err(), "{source:.20}");
            assert!(watch.elapsed().as_millis() < 50, "{source:.20} took {:?}", watch.elapsed());
        }
    }

    /// The dearest things that are allowed, in a debug build: far under what a person would notice.
    #[test]
    fn the_dearest_conditions_that_are_allowed_end_within_their_budget() {
        let dearest = [
            "text".to_owned() + &"+text".repeat(99),
            format!("[{}] == [{}]", vec!["text"; 45].join(","), vec!["text"; 45].join(",")),
            "(".repeat(23) + "1" + &")".repeat(23),
            "text.contains(text".to_owned() + &" + text".repeat(60) + ")",
            "1".to_owned() + &"+1".repeat(99),
        ];
        for source in dearest {
            let took = with_room(|| {
                let (condition, _) = Language::default().compile(&source).unwrap();
                let watch = crate::runtime::clock::Stopwatch::start();
                let _ = condition.evaluate(&values());
                watch.elapsed()
            });
            assert!(took.as_millis() < 250, "{source:.20} took {took:?}");
        }
        assert_eq!(
            value(&("text".to_owned() + &"+text".repeat(99))),
            Err("too_long".into()),
            "and what comes out is bounded"
        );
    }

    #[test]
    fn a_condition_without_a_value_does_not_hold() {
        for source in ["vars.missing == 1", "1 / 0 == 1", "text > 3", "vars.n"] {
            let (condition, _) = Language::default().compile(source).unwrap();
            assert_ne!(condition.evaluate(&values()), Ok(Value::Bool(true)), "{source}");
        }
    }
}
