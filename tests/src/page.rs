//! Pages of docs/ whose sections are written by measurements.

use std::path::Path;

/// Puts the section in place of the page's section of the same heading (its first line), or at the end.
///
/// # Panics
/// When the page can't be written.
#[allow(clippy::unwrap_used)]
pub fn write_section(page: &Path, section: &str) {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    std::fs::write(page, replaced(&text, section)).unwrap();
}

fn replaced(page: &str, section: &str) -> String {
    let heading = section.lines().next().unwrap_or_default();
    let Some(begin) = page.find(heading) else { return format!("{}\n\n{section}", page.trim_end()) };
    let end = page[begin + 3..].find("\n## ").map_or(page.len(), |at| begin + 3 + at + 1);
    format!("{}{section}{}{}", &page[..begin], if end < page.len() { "\n" } else { "" }, &page[end..])
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn a_section_is_put_in_its_place() {
        let page = "# Page\n\n## A\n\nold\n\n## B\n\nkept\n";
        assert_eq!(replaced(page, "## A\n\nnew\n"), "# Page\n\n## A\n\nnew\n\n## B\n\nkept\n");
        assert_eq!(replaced("# Page\n", "## A\n\nnew\n"), "# Page\n\n## A\n\nnew\n");
    }
}
