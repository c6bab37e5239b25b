package portal

import (
	"bytes"
	"html"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// safe is HTML of this package's own. Constants become it by themselves and texts of others do not, so that the compiler finds what is not escaped.
type safe string

// markup is a page that is being written.
type markup struct {
	b        bytes.Buffer
	markdown goldmark.Markdown
	err      error // of markdown
}

// newMarkdown returns what reads Markdown. It is safe for concurrent use.
func newMarkdown() goldmark.Markdown { return goldmark.New(goldmark.WithExtensions(extension.GFM)) }

// raw writes HTML.
func (m *markup) raw(s safe) *markup {
	m.b.WriteString(string(s))
	return m
}

// text writes a text between tags, or the value of an attribute between quotes.
func (m *markup) text(parts ...string) *markup {
	for _, s := range parts {
		m.b.WriteString(html.EscapeString(s))
	}
	return m
}

// when writes HTML if it is to be.
func (m *markup) when(is bool, s safe) *markup {
	if is {
		m.raw(s)
	}
	return m
}

// prose writes a text in GitHub's kind of Markdown. Raw HTML is left out, and so are links that are scripts.
func (m *markup) prose(text string) *markup {
	if err := m.markdown.Convert([]byte(text), &m.b); err != nil && m.err == nil {
		m.err = err
	}
	return m
}

// list writes names, with commas between them.
func (m *markup) list(names []string) *markup {
	for i, name := range names {
		m.when(i > 0, ", ").raw("<code>").text(name).raw("</code>")
	}
	return m
}
