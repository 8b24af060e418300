//! The difference of two texts, line by line, as `diff -u` shows it.

/// Lines of context around a change.
const CONTEXT: usize = 2;
/// Beyond this many pairs of lines the middle is shown as replaced whole, rather than compared.
const MOST_PAIRS: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Same,
    Removed,
    Added,
}

/// Lines that begin with ` `, `-` or `+`; `…` stands where lines that are the same are left out. Empty when nothing differs.
pub fn lines(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let marked = compare(&old, &new);
    let near_change = |index: usize| {
        let from = index.saturating_sub(CONTEXT);
        let to = (index + CONTEXT + 1).min(marked.len());
        marked[from..to].iter().any(|(mark, _)| *mark != Mark::Same)
    };
    let mut shown = Vec::new();
    let mut left_out = false;
    for (index, (mark, line)) in marked.iter().enumerate() {
        if !near_change(index) {
            left_out = true;
            continue;
        }
        if std::mem::take(&mut left_out) {
            shown.push("…".to_owned());
        }
        shown.push(match mark {
            Mark::Same => format!(" {line}"),
            Mark::Removed => format!("-{line}"),
            Mark::Added => format!("+{line}"),
        });
    }
    if left_out && !shown.is_empty() {
        shown.push("…".to_owned());
    }
    shown
}

fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Mark, &'a str)> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (removed, added) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut marked: Vec<_> = old[..head].iter().map(|line| (Mark::Same, *line)).collect();
    if removed.len().saturating_mul(added.len()) > MOST_PAIRS {
        marked.extend(removed.iter().map(|line| (Mark::Removed, *line)));
        marked.extend(added.iter().map(|line| (Mark::Added, *line)));
    } else {
        marked.extend(longest_common(removed, added));
    }
    marked.extend(
        old[old.len() - tail..]
            .iter()
            .map(|line| (Mark::Same, *line)),
    );
    marked
}

/// The longest common subsequence, by the textbook's table.
fn longest_common<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Mark, &'a str)> {
    let width = new.len() + 1;
    let mut table = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            table[i * width + j] = if old[i] == new[j] {
                table[(i + 1) * width + j + 1] + 1
            } else {
                table[(i + 1) * width + j].max(table[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut marked = Vec::with_capacity(old.len() + new.len());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            marked.push((Mark::Same, old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && table[(i + 1) * width + j] >= table[i * width + j + 1])
        {
            marked.push((Mark::Removed, old[i]));
            i += 1;
        } else {
            marked.push((Mark::Added, new[j]));
            j += 1;
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn only_what_differs_is_shown_with_two_lines_around_it() {
        let old = "a\nb\nc\nd\ne\nf\ng\n";
        let new = "a\nb\nc\nD\ne\nf\ng\n";
        assert_eq!(
            lines(old, new),
            ["…", " b", " c", "-d", "+D", " e", " f", "…"]
        );
    }

    #[test]
    fn the_same_text_has_no_difference() {
        assert!(lines("a\nb\n", "a\nb\n").is_empty());
    }

    #[test]
    fn lines_are_added_at_the_end_and_removed_at_the_start() {
        assert_eq!(lines("a\nb\n", "b\nc\n"), ["-a", " b", "+c"]);
    }
}
