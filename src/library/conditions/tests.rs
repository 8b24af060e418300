use super::*;
use rustix::fs::{CWD, Mode, OFlags};

/// A file that was changed some seconds ago, and now.
fn file() -> (Details, OffsetDateTime, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    std::fs::write(&path, "abc").unwrap();
    let opened = rustix::fs::openat(CWD, &path, OFlags::RDONLY, Mode::empty()).unwrap();
    let details = Details::of(&rustix::fs::fstat(&opened).unwrap());
    let now = details.modified + time::Duration::seconds(5);
    (details, now, directory)
}

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

#[test]
fn reading_keeps_the_order_of_the_standard() {
    let (details, now, _directory) = file();
    let tag = details.tag(now).unwrap().to_string();
    let weak = format!("W/{tag}");
    let other = "\"other\"";
    let list = format!("{other}, {tag}");
    let at = details.last_modified(now).unwrap();
    let before = httpdate::fmt_http_date(
        whole_seconds(details.modified) - std::time::Duration::from_secs(9),
    );
    use Outcome::{Failed, Fulfilled, NotModified};
    for (given, expected) in [
        (vec![], Fulfilled),
        (vec![(IF_NONE_MATCH, tag.as_str())], NotModified),
        (vec![(IF_NONE_MATCH, &weak)], NotModified),
        (vec![(IF_NONE_MATCH, &list)], NotModified),
        (
            vec![(IF_NONE_MATCH, other), (IF_NONE_MATCH, &tag)],
            NotModified,
        ),
        (vec![(IF_NONE_MATCH, "*")], NotModified),
        (vec![(IF_NONE_MATCH, other)], Fulfilled),
        (vec![(IF_NONE_MATCH, "rubbish")], Fulfilled),
        // The date does not count beside the tag.
        (
            vec![(IF_NONE_MATCH, other), (IF_MODIFIED_SINCE, &at)],
            Fulfilled,
        ),
        (vec![(IF_MODIFIED_SINCE, &at)], NotModified),
        (vec![(IF_MODIFIED_SINCE, &before)], Fulfilled),
        (vec![(IF_MODIFIED_SINCE, "yesterday")], Fulfilled),
        (vec![(IF_MATCH, &tag)], Fulfilled),
        (vec![(IF_MATCH, &list)], Fulfilled),
        (vec![(IF_MATCH, "*")], Fulfilled),
        (vec![(IF_MATCH, &weak)], Failed),
        (vec![(IF_MATCH, other)], Failed),
        (vec![(IF_MATCH, "rubbish")], Failed),
        (
            vec![(IF_MATCH, &tag), (IF_UNMODIFIED_SINCE, &before)],
            Fulfilled,
        ),
        (vec![(IF_UNMODIFIED_SINCE, &at)], Fulfilled),
        (vec![(IF_UNMODIFIED_SINCE, &before)], Failed),
        (vec![(IF_MATCH, other), (IF_NONE_MATCH, &tag)], Failed),
        (vec![(IF_MATCH, &tag), (IF_NONE_MATCH, &tag)], NotModified),
    ] {
        let said = Conditions::of(&headers(&given)).read(now, &details);
        assert_eq!(said, expected, "{given:?}");
    }
}

#[test]
fn changes_are_allowed_for_what_is_meant() {
    let (details, now, _directory) = file();
    let tag = details.tag(now).unwrap().to_string();
    for (given, there, nothing) in [
        (vec![], true, true),
        (vec![(IF_NONE_MATCH, "*")], false, true),
        (vec![(IF_MATCH, "*")], true, false),
        (vec![(IF_MATCH, tag.as_str())], true, false),
        (vec![(IF_MATCH, "\"other\"")], false, false),
        (vec![(IF_NONE_MATCH, &tag)], false, true),
        (vec![(IF_NONE_MATCH, "\"other\"")], true, true),
    ] {
        let conditions = Conditions::of(&headers(&given));
        let said = (
            conditions.allow_change(now, Some(&details)),
            conditions.allow_change(now, None),
        );
        assert_eq!(said, (there, nothing), "{given:?}");
    }
    assert!(Conditions::nothing_there().wants_nothing_there());
}

#[test]
fn a_part_is_sent_of_these_contents_alone() {
    let (details, now, _directory) = file();
    let tag = details.tag(now).unwrap().to_string();
    let at = details.last_modified(now).unwrap();
    for (value, expected) in [
        (tag.as_str(), true),
        (&format!("W/{tag}"), false),
        ("\"other\"", false),
        (&at, true),
        ("Thu, 01 Jan 1970 00:00:00 GMT", false),
        ("rubbish", false),
    ] {
        let headers = headers(&[(IF_RANGE, value)]);
        assert_eq!(range_applies(&headers, now, &details), expected, "{value}");
    }
    assert!(range_applies(&HeaderMap::new(), now, &details));
    // Within its own second a date does not tell two contents apart.
    let headers = headers(&[(IF_RANGE, &at)]);
    assert!(!range_applies(&headers, details.modified, &details));
}
