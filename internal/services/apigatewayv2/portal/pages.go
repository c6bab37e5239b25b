package portal

// home writes the front page: the products, or what a search found.
func (v *visit) home(m *markup) {
	if v.query != "" {
		v.results(m)
		return
	}
	m.raw("<h1>").text(v.site.Name).raw("</h1>")
	v.lead(m, v.site.Description)
	if len(v.site.Products) == 0 {
		m.raw("\n<p>This portal has no products yet.</p>")
		return
	}
	m.raw("\n<ul class=\"cards\">")
	for i := range v.site.Products {
		p := &v.site.Products[i]
		m.raw("<li><a href=\"").text(v.base, "/products/", p.ID).raw("\"><strong>").text(p.Name).raw("</strong><span>").text(p.Description).raw("</span></a></li>")
	}
	m.raw("</ul>")
}

func (v *visit) results(m *markup) {
	m.raw("<h1>Search</h1>")
	if len(v.found) == 0 {
		m.raw("\n<p>Nothing is called “").text(v.query).raw("”.</p>")
		return
	}
	m.raw("\n<ul class=\"cards\">")
	for _, h := range v.found {
		m.raw("<li><a href=\"").text(h.path).raw("\"><small>").text(h.kind).raw("</small><strong>").text(h.name).raw("</strong><span>").text(h.text).raw("</span></a></li>")
	}
	m.raw("</ul>")
}

func (v *visit) lead(m *markup, text string) {
	if text != "" {
		m.raw("\n<p class=\"lead\">").text(text).raw("</p>")
	}
}

// overview writes a product: its overview page, and its methods by their sections.
func (v *visit) overview(m *markup) {
	m.raw("<h1>").text(v.product.Name).raw("</h1>")
	v.lead(m, v.product.Description)
	if v.page != nil {
		m.raw("\n<article>").prose(v.page.Body).raw("</article>")
	}
	for i := range v.contents.Sections {
		m.raw("\n<h2>").text(v.contents.Sections[i].Name).raw("</h2>\n<table><tbody>")
		for _, e := range v.contents.Sections[i].Endpoints {
			m.raw("<tr><td>")
			method(m, e.Method)
			m.raw("</td><td><a href=\"").text(v.base, "/products/", v.product.ID, "/endpoints/", e.ID).raw("\">").text(e.Name).raw("</a></td><td><code>").text(e.Path).raw("</code></td></tr>")
		}
		m.raw("</tbody></table>")
	}
}

// article writes a product page.
func (v *visit) article(m *markup) {
	m.raw("<h1>").text(v.page.Title).raw("</h1>\n<article>").prose(v.page.Body).raw("</article>")
}

// reference writes an endpoint page.
func (v *visit) reference(m *markup) {
	e := v.page.Endpoint
	m.raw("<h1>").text(v.page.Title).raw("</h1>\n<p class=\"where\">")
	method(m, e.Method)
	m.raw(" <code>").text(e.URL, e.Path).raw("</code></p>")
	if v.page.Body != "" {
		m.raw("\n<article>").prose(v.page.Body).raw("</article>")
	}
	if len(e.Schemes) > 0 {
		m.raw("\n<p>Secured by ").list(e.Schemes).raw(".</p>")
	}
	if len(e.Parameters) > 0 {
		m.raw("\n<h2>Parameters</h2>\n<table><thead><tr><th>Name</th><th>In</th><th>Required</th><th>Description</th></tr></thead>\n<tbody>")
		for _, p := range e.Parameters {
			m.raw("<tr><td><code>").text(p.Name).raw("</code></td><td>").text(p.In).raw("</td><td>").when(p.Required, "yes").when(!p.Required, "no").raw("</td><td>").prose(p.Text).raw("</td></tr>")
		}
		m.raw("</tbody></table>")
	}
	if len(e.Contents) > 0 {
		m.raw("\n<h2>Body</h2>")
		bodies(m, e.Contents)
	}
	if len(e.Responses) > 0 {
		m.raw("\n<h2>Answers</h2>")
		for _, r := range e.Responses {
			m.raw("\n<h3>").text(r.Status).raw("</h3>\n").prose(r.Text)
			if len(r.Headers) > 0 {
				m.raw("<p>Headers: ").list(r.Headers).raw("</p>")
			}
			bodies(m, r.Contents)
		}
	}
	if e.TryIt {
		v.try.write(m)
	}
}

// bodies writes what a body is, by media types.
func bodies(m *markup, contents []content) {
	for _, c := range contents {
		m.raw("\n<p><code>").text(c.Type).raw("</code></p>")
		if c.Schema != "" {
			m.raw("<pre><code>").text(c.Schema).raw("</code></pre>")
		}
	}
}

// write writes the form, and what came of it.
func (t *try) write(m *markup) {
	m.raw("\n<h2 id=\"try\">Try it</h2>\n<form class=\"try\" method=\"post\" action=\"#answer\">")
	if len(t.methods) > 0 {
		m.raw("\n<label>Method <select name=\"method\">")
		for _, name := range t.methods {
			m.raw("<option").when(name == t.method, " selected").raw(">").text(name).raw("</option>")
		}
		m.raw("</select></label>")
	}
	for _, f := range t.fields {
		m.raw("\n<label>").text(f.Name).raw(" <small>").text(f.In).when(f.Required, ", required").raw("</small><input name=\"").text(f.input)
		m.raw("\" value=\"").text(f.value).raw("\"").when(f.Required, " required").raw(" autocomplete=\"off\"></label>")
	}
	if t.hasBody {
		m.raw("\n<label>Content type <input name=\"type\" value=\"").text(t.contentType).raw("\"></label>\n<label>Body <textarea name=\"body\" rows=\"6\" spellcheck=\"false\">\n")
		m.text(t.body).raw("</textarea></label>")
	}
	m.raw("\n<button type=\"submit\">Try it</button>\n</form>\n<div id=\"answer\">")
	if t.problem != "" {
		m.raw("\n<p class=\"problem\" role=\"alert\">").text(t.problem).raw("</p>")
	}
	if a := t.answer; a != nil {
		m.raw("\n<h3>").text(a.status).raw(" <small>").text(a.took.String()).raw("</small></h3>\n<table><tbody>")
		for _, h := range a.headers {
			m.raw("<tr><td><code>").text(h.name).raw("</code></td><td>").text(h.value).raw("</td></tr>")
		}
		m.raw("</tbody></table>\n<pre><code>").text(a.body).raw("</code></pre>")
	}
	m.raw("\n</div>")
}
