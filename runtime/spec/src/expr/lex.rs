//! The token pass: limits that keep the parser safe on hostile text, places of names, and the end of `${…}`.

use cel::parser::pratt_parser::{Lexer, Token, TokenKind};

use super::{MAX_EXPRESSION_BYTES, error::ExprError};

const MAX_TOKENS: usize = 1024;
const MAX_BRACKETS: usize = 24;
const MAX_CONDITIONALS: usize = 24;
const MAX_UNARY_RUN: usize = 8;

/// The tokens of `text`, or what is wrong with it. Text that passes cannot drive the parser into deep recursion:
/// brackets, conditionals and runs of unary operators are what it recurses on.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExprError> {
    if text.len() > MAX_EXPRESSION_BYTES {
        let message = format!("an expression may have {MAX_EXPRESSION_BYTES} bytes, this one has {}", text.len());
        return Err(ExprError::compile_time(0, message));
    }
    let mut tokens = Vec::new();
    let (mut brackets, mut conditionals, mut unary_run) = (0usize, 0, 0);
    for token in significant(text) {
        let too_deep = |what: &str| {
            let message = format!("the expression is nested too deeply ({what}): split it into several steps");
            Err(ExprError::compile_time(token.start, message))
        };
        match token.kind {
            TokenKind::TokError => return Err(lexical_error(text, token)),
            TokenKind::TokLeftBrace | TokenKind::TokLeftBracket | TokenKind::TokLeftParen => brackets += 1,
            TokenKind::TokRightBrace | TokenKind::TokRightBracket | TokenKind::TokRightParen => {
                brackets = brackets.saturating_sub(1);
            }
            TokenKind::TokQuestion => conditionals += 1,
            _ => {}
        }
        unary_run = match token.kind {
            TokenKind::TokExclamation | TokenKind::TokMinus => unary_run + 1,
            _ => 0,
        };
        if brackets > MAX_BRACKETS {
            return too_deep("more than 24 brackets");
        }
        if conditionals > MAX_CONDITIONALS {
            return too_deep("more than 24 conditionals");
        }
        if unary_run > MAX_UNARY_RUN {
            return too_deep("more than 8 signs in a row");
        }
        if tokens.len() == MAX_TOKENS {
            return Err(ExprError::compile_time(token.start, "the expression has more than 1024 tokens"));
        }
        tokens.push(token);
    }
    if tokens.is_empty() {
        return Err(ExprError::compile_time(0, "the expression is empty"));
    }
    Ok(tokens)
}

/// Where the expression that starts `text` ends: the offset of the `}` that is not the expression's own.
pub(super) fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for token in significant(text) {
        match token.kind {
            TokenKind::TokLeftBrace => open += 1,
            TokenKind::TokRightBrace if open == 0 => return Some(token.start),
            TokenKind::TokRightBrace => open -= 1,
            _ => {}
        }
    }
    None
}

/// Where the dotted `path` is first written in `text`; the place of its first segment when it is not written so.
pub(super) fn place_of(text: &str, tokens: &[Token], path: &[String]) -> usize {
    let word = |token: &Token| text.get(token.start..token.end).unwrap_or_default();
    let mut first = None;
    for start in 0..tokens.len() {
        let after_dot = start > 0 && tokens[start - 1].kind == TokenKind::TokDot;
        if after_dot || path.first().is_none_or(|root| word(&tokens[start]) != root) {
            continue;
        }
        first.get_or_insert(tokens[start].start);
        let whole = path[1..].iter().enumerate().all(|(nth, segment)| {
            let dot = tokens.get(start + 1 + nth * 2);
            let name = tokens.get(start + 2 + nth * 2);
            dot.is_some_and(|token| token.kind == TokenKind::TokDot) && name.is_some_and(|token| word(token) == segment)
        });
        if whole {
            return tokens[start].start;
        }
    }
    first.unwrap_or(0)
}

/// Whether `word` is one of the language's own words and cannot be a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    let mut lexer = Lexer::new(word);
    !matches!(lexer.lex().kind, TokenKind::TokIdent)
}

/// Tokens without white space and comments, up to the end of the text.
fn significant(text: &str) -> impl Iterator<Item = Token> + '_ {
    let mut lexer = Lexer::new(text);
    std::iter::from_fn(move || {
        loop {
            let token = lexer.lex();
            match token.kind {
                TokenKind::TokEnd => return None,
                TokenKind::TokWhitespace | TokenKind::TokComment => {}
                _ => return Some(token),
            }
        }
    })
}

fn lexical_error(text: &str, token: Token) -> ExprError {
    let rest = text.get(token.start..).unwrap_or_default();
    let message = match rest.chars().next() {
        Some('\'' | '"') => "this string has no end".to_owned(),
        Some('&') => "write `&&` for \"and\"".to_owned(),
        Some('|') => "write `||` for \"or\"".to_owned(),
        Some('`') => "`…` around names is not supported: write [\"name\"] instead".to_owned(),
        Some(digit) if digit.is_ascii_digit() || digit == '.' => "this is not a number".to_owned(),
        Some(other) => format!("unexpected character {other:?}"),
        None => "unexpected end".to_owned(),
    };
    ExprError::compile_time(token.start, message)
}
