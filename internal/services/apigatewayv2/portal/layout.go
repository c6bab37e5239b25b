package portal

import (
	"log/slog"
	"net/http"
	"strings"
)

// render answers with a page, whose main part main writes.
func (v *visit) render(status int, main func(m *markup)) {
	m := &markup{markdown: v.portals.markdown}
	v.head(m)
	main(m)
	m.raw("\n</main>\n</div>\n</body>\n</html>\n")
	if m.err != nil {
		v.portals.deps.Log.ErrorContext(v.r.Context(), "page of a portal could not be made", slog.String("portal", v.site.portal), slog.Any("error", m.err))
		http.Error(v.w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(m.b.Bytes())
	}
}

// message answers with a page that says one thing.
func (v *visit) message(status int, title, text string) {
	v.title = title
	v.render(status, func(m *markup) {
		m.raw("<h1>").text(title).raw("</h1>\n<p>").text(text).raw("</p>\n<p><a href=\"").text(v.base, "/").raw("\">To the portal</a></p>")
	})
}

// head writes what is in front of the main part.
func (v *visit) head(m *markup) {
	m.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>").text(v.title)
	if v.title != v.site.Name {
		m.text(" · ", v.site.Name)
	}
	m.raw("</title>\n<link rel=\"icon\" href=\"")
	if v.site.Logo != "" {
		m.text(v.base, "/logo")
	} else {
		m.raw("data:,") // or browsers ask for one at the root of the server
	}
	m.raw("\">\n<link rel=\"stylesheet\" href=\"").text(v.base, "/style.css").raw("\">\n</head>\n<body>\n<header>\n<a class=\"brand\" href=\"").text(v.base, "/").raw("\">")
	if v.site.Logo != "" {
		m.raw("<img src=\"").text(v.base, "/logo").raw("\" alt=\"\">")
	}
	m.raw("<span>").text(v.site.Name).raw("</span></a>").when(v.site.Preview, "<span class=\"note\">Preview</span>")
	m.raw("\n<form class=\"search\" action=\"").text(v.base, "/").raw("\" method=\"get\" role=\"search\"><input type=\"search\" name=\"q\" value=\"").text(v.query)
	m.raw("\" placeholder=\"Search\" aria-label=\"Search\"></form>")
	if v.known {
		m.raw("<a class=\"out\" href=\"").text(v.base, "/signout").raw("\">Sign out</a>")
	}
	m.raw("\n</header>\n<div class=\"columns\">\n<nav aria-label=\"Products\">")
	if v.product == nil {
		v.products(m)
	} else {
		v.outline(m, v.product)
	}
	m.raw("\n</nav>\n<main>\n")
}

// products writes the list of all products.
func (v *visit) products(m *markup) {
	m.raw("\n<h2>Products</h2>\n<ul>")
	for i := range v.site.Products {
		p := &v.site.Products[i]
		m.raw("<li><a href=\"").text(v.base, "/products/", p.ID).raw("\">").text(p.Name).raw("</a></li>")
	}
	m.raw("</ul>")
}

// outline writes what a product has.
func (v *visit) outline(m *markup, p *shownProduct) {
	at := v.base + "/products/" + p.ID
	m.raw("\n<a class=\"up\" href=\"").text(v.base, "/").raw("\">All products</a>\n<h2><a href=\"").text(at).raw("\"").when(v.at == "", " aria-current=\"page\"").raw(">").text(p.Name).raw("</a></h2>")
	if len(v.contents.Pages) > 0 {
		m.raw("\n<ul>")
		for _, l := range v.contents.Pages {
			m.raw("<li><a href=\"").text(at, "/pages/", l.ID).raw("\"").when(v.at == l.ID, " aria-current=\"page\"").raw(">").text(l.Title).raw("</a></li>")
		}
		m.raw("</ul>")
	}
	for i := range v.contents.Sections {
		m.raw("\n<h3>").text(v.contents.Sections[i].Name).raw("</h3>\n<ul>")
		for _, e := range v.contents.Sections[i].Endpoints {
			m.raw("<li><a href=\"").text(at, "/endpoints/", e.ID).raw("\"").when(v.at == e.ID, " aria-current=\"page\"").raw(">")
			method(m, e.Method)
			m.raw(" ").text(e.Name).raw("</a></li>")
		}
		m.raw("</ul>")
	}
}

// method writes the sign of an HTTP method.
func method(m *markup, name string) {
	m.raw("<span class=\"method ").text(strings.ToLower(name)).raw("\">").text(name).raw("</span>")
}

// style answers with the style sheet in the colors of the portal.
func (v *visit) style() {
	c := &v.site.Colors
	var b strings.Builder
	b.WriteString(":root{")
	for _, set := range [][2]string{
		{"accent", c.AccentColor},
		{"on-accent", legible(c.AccentColor)},
		{"background", c.BackgroundColor},
		{"error", c.ErrorValidationColor},
		{"header", c.HeaderColor},
		{"on-header", legible(c.HeaderColor)},
		{"navigation", c.NavigationColor},
		{"on-navigation", legible(c.NavigationColor)},
		{"text", c.TextColor},
	} {
		b.WriteString("--" + set[0] + ":" + set[1] + ";")
	}
	b.WriteString("}\n")
	b.WriteString(sheet)
	v.w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = v.w.Write([]byte(b.String()))
}
