//! Markdown as HTML that a page may show: what somebody wrote into a README comes without anything that acts.

use std::collections::{HashMap, HashSet};

use ammonia::Builder;
use pulldown_cmark::{Event, Options, Parser, html};

/// The longest text that is taken, in bytes.
pub const LONGEST: usize = 512 * 1024;

/// So deep may elements lie in one another. Whoever reads HTML looks at all that are open again and again, so a text that only goes deeper
/// would take minutes; below this it goes on at the same depth.
const DEEPEST: usize = 100;

/// Elements without an end (html.spec.whatwg.org, "Void elements"); they lie open nowhere.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// HTML of a text in Markdown (CommonMark, with tables, strikethrough, footnotes and lists of tasks), with HTML that stands in it.
///
/// What is left are the elements of a text, links to the web and to files beside it, and pictures; scripts, styles, forms, frames, ids, classes
/// and handlers are not.
pub fn rendered(text: &str) -> String {
    let extensions = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS;
    let mut raw = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut raw, shallow(Parser::new_ext(text, extensions)));
    let tags: HashSet<&str> = [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "dd",
        "del",
        "details",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]
    .into();
    let attributes: HashMap<&str, HashSet<&str>> = [
        ("a", HashSet::from(["href", "title"])),
        ("img", HashSet::from(["alt", "src", "title"])),
        ("ol", HashSet::from(["start"])),
    ]
    .into();
    Builder::default()
        .tags(tags)
        .tag_attributes(attributes)
        .generic_attributes(HashSet::new())
        .url_schemes(["http", "https", "mailto"].into())
        .link_rel(Some("noopener noreferrer"))
        .clean_content_tags(["script", "style", "title", "textarea", "iframe", "noscript"].into())
        .clean(&raw)
        .to_string()
}

/// The same text with nothing deeper in it than [`DEEPEST`]: what Markdown opens below that is left out, and its own HTML is shown as text.
fn shallow<'a>(events: impl Iterator<Item = Event<'a>>) -> impl Iterator<Item = Event<'a>> {
    let mut depth = 0_usize;
    let mut open = 0_usize;
    events.filter_map(move |event| match event {
        Event::Start(_) => {
            depth += 1;
            (depth <= DEEPEST).then_some(event)
        }
        Event::End(_) => {
            let shown = depth <= DEEPEST;
            depth = depth.saturating_sub(1);
            shown.then_some(event)
        }
        Event::Html(html) | Event::InlineHtml(html) => {
            let before = open;
            open = opened(open, &html);
            Some(match before.max(open) <= DEEPEST {
                true => Event::Html(html),
                false => {
                    open = before;
                    Event::Text(html)
                }
            })
        }
        other => Some(other),
    })
}

/// How many elements are open after a piece of HTML, taken generously: an end that has no beginning ends nothing.
fn opened(mut open: usize, html: &str) -> usize {
    for tag in html.split('<').skip(1) {
        let (ends, tag) = match tag.strip_prefix('/') {
            Some(tag) => (true, tag),
            None => (false, tag),
        };
        let name: String = tag
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        if name.is_empty() || VOID.contains(&name.to_ascii_lowercase().as_str()) {
            continue;
        }
        open = match ends {
            true => open.saturating_sub(1),
            false => open + 1,
        };
    }
    open
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_keeps_its_form() {
        let text = "# Cup\n\nIt *cools*: see [data](data/a%20b.csv).\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n\n```py\n1 < 2\n```\n\n![plot](plot.png)";
        let html = rendered(text);
        for part in [
            "<h1>Cup</h1>",
            "<em>cools</em>",
            "<a href=\"data/a%20b.csv\" rel=\"noopener noreferrer\">data</a>",
            "<td>2</td>",
            "<code>1 &lt; 2\n</code>",
            "<img src=\"plot.png\" alt=\"plot\">",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    /// Without a bound each of these takes minutes.
    #[test]
    fn what_only_goes_deeper_stays_shallow() {
        for (piece, element) in [
            ("> ", "<blockquote>"),
            ("<b>", "<b>"),
            ("<details>", "<details>"),
            ("<ul><li>", "<li>"),
            ("- ", "<li>"),
        ] {
            let html = rendered(&format!("{}the end", piece.repeat(100_000)));
            // After a paragraph's end HTML opens what was left open once more.
            assert!(html.matches(element).count() <= 2 * DEEPEST, "{piece}");
            assert!(html.contains("the end"), "{piece}");
        }
        let many = "<b>x</b> <br> ".repeat(1000);
        assert_eq!(rendered(&many).matches("<b>x</b>").count(), 1000);
    }

    #[test]
    fn nothing_that_acts_is_left() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt&#58;alert(1))",
            "[x](data:text/html,<script>)",
            "<a href=\" javascript:alert(1)\">x</a>",
            "<iframe src=/alice/lab></iframe>",
            "<form action=/account/signout><input name=x><button>x</button></form>",
            "<style>*{display:none}</style><p style=\"position:fixed\" class=notice id=env>x</p>",
            "<svg onload=alert(1)><a xlink:href=javascript:alert(1)>x</a></svg>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "<base href=//evil.example><meta http-equiv=refresh content=0><link rel=stylesheet href=x>",
            "<object data=x></object><embed src=x><video src=x autoplay></video>",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        ] {
            let html = rendered(text).to_lowercase();
            for never in [
                "<script",
                "onerror",
                "onload",
                "javascript:",
                "data:",
                "<iframe",
                "<form",
                "<input",
                "<button",
                "<style",
                "style=",
                "class=",
                "id=",
                "<svg",
                "<math",
                "<base",
                "<meta",
                "<link",
                "<object",
                "<embed",
                "<video",
                "alert(1)>",
            ] {
                assert!(!html.contains(never), "{never} in {html} of {text}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_gives_elements_of_a_text_alone(
            pieces in proptest::collection::vec(
                prop_oneof![
                    "\\PC{0,12}",
                    "<[a-z]{1,8} (on[a-z]{3,6}|src|href|style|id)=['\"]?(javascript:|data:|x)",
                    "[<>\"'`/\\\\\n\\[\\]()!&;#]{1,6}",
                    Just("</".to_owned()),
                    Just("<script>".to_owned()),
                ],
                0..20,
            )
        ) {
            let html = rendered(&pieces.concat()).to_lowercase();
            let mut rest = html.as_str();
            while let Some((_, after)) = rest.split_once('<') {
                // Outside tags every '<' is written as &lt;.
                let (tag, more) = after.split_once('>').unwrap();
                let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                prop_assert!(!["script", "style", "iframe", "form", "input", "svg", "math", "object"].contains(&name.as_str()), "{html}");
                prop_assert!(!tag.contains("=\"javascript") && !tag.contains("=\"data"), "{html}");
                rest = more;
            }
        }
    }
}
