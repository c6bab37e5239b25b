package portal

import (
	_ "embed" // the style sheet
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// sheet is the style sheet of all portals; its colors are variables.
//
//go:embed style.css
var sheet string

// visit is a request to a site, and what its page shows.
type visit struct {
	portals *Portals
	site    *site
	w       http.ResponseWriter
	r       *http.Request

	// base is the path of the site; empty or without a slash at its end.
	base string
	// known tells that the visitor signed in.
	known bool
	// title is that of the page, product the product that is shown with its contents, and page the page with the id at; both may be nil.
	title    string
	product  *shownProduct
	contents shownContents
	at       string
	page     *shownPage
	// query is what was searched, found what is called so.
	query string
	found []hit
	try   *try
}

// hit is something that a search found.
type hit struct{ kind, name, text, path string }

func (v *visit) missing() {
	v.message(http.StatusNotFound, "Not found", "This portal has no such page.")
}

// route answers a request for a path.
func (v *visit) route(path []string) {
	post := v.r.Method == http.MethodPost
	switch {
	case v.r.Method != http.MethodGet && v.r.Method != http.MethodHead && !post:
		v.w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(v.w, "Method Not Allowed", http.StatusMethodNotAllowed)
	case len(path) == 4 && path[0] == "products" && path[2] == "endpoints" && (!post || v.ownForm()):
		v.showEndpoint(path[1], path[3], post)
	case post:
		http.Error(v.w, "Forbidden", http.StatusForbidden)
	case len(path) == 1 && path[0] == "":
		v.showHome()
	case len(path) == 1 && path[0] == "logo":
		v.showLogo()
	case len(path) == 1 && path[0] == "signout":
		v.signOut()
	case len(path) == 2 && path[0] == "products":
		v.showProduct(path[1])
	case len(path) == 4 && path[0] == "products" && path[2] == "pages":
		v.showPage(path[1], path[3])
	default:
		v.missing()
	}
}

// showHome shows the products, or what a search finds.
func (v *visit) showHome() {
	v.title = v.site.Name
	if v.query = strings.TrimSpace(v.r.URL.Query().Get("q")); v.query != "" {
		if err := v.search(); err != nil {
			v.broken(err)
			return
		}
	}
	v.render(http.StatusOK, v.home)
}

// search finds products, pages and methods by their names and what is said about products.
func (v *visit) search() error {
	wanted := strings.ToLower(v.query)
	add := func(kind, name, text, path string, also ...string) {
		if strings.Contains(strings.ToLower(strings.Join(append(also, name, text), "\n")), wanted) {
			v.found = append(v.found, hit{kind, name, text, v.base + path})
		}
	}
	return v.portals.deps.Store.View(v.r.Context(), func(r store.Reader) error {
		v.found = nil
		for i := range v.site.Products {
			p := &v.site.Products[i]
			contents, _, err := record.Get[shownContents](r, contentsKey(v.site.portal, v.site.edition, p.ID))
			if err != nil {
				return err
			}
			at := "/products/" + p.ID
			add("Product", p.Name, p.Description, at)
			for _, l := range contents.Pages {
				add("Page", l.Title, p.Name, at+"/pages/"+l.ID)
			}
			for _, s := range contents.Sections {
				for _, e := range s.Endpoints {
					add("Method", e.Name, e.Method+" "+e.Path, at+"/endpoints/"+e.ID, s.Name, p.Name)
				}
			}
		}
		return nil
	})
}

// choose sets the product that is shown, and reads its contents and, unless its id is empty, a page.
func (v *visit) choose(product, page string) bool {
	i := slices.IndexFunc(v.site.Products, func(p shownProduct) bool { return p.ID == product })
	if i < 0 {
		v.missing()
		return false
	}
	v.product = &v.site.Products[i]
	if page == "" {
		page = v.product.Overview
	}
	err := v.portals.deps.Store.View(v.r.Context(), func(r store.Reader) (err error) {
		if v.contents, _, err = record.Get[shownContents](r, contentsKey(v.site.portal, v.site.edition, product)); err != nil || page == "" {
			return err
		}
		found, ok, err := record.Get[shownPage](r, shownKey(v.site.portal, v.site.edition, page))
		if ok && found.Product == product {
			v.page = &found
		}
		return err
	})
	if err != nil {
		v.broken(err)
	}
	return err == nil
}

// broken answers when the platform fails.
func (v *visit) broken(err error) {
	v.portals.deps.Log.ErrorContext(v.r.Context(), "page of a portal could not be read", slog.String("portal", v.site.portal), slog.Any("error", err))
	http.Error(v.w, "Internal Server Error", http.StatusInternalServerError)
}

// load reads the page that is shown.
func (v *visit) load(product, id string, ofEndpoint bool) bool {
	if !v.choose(product, id) {
		return false
	}
	if v.page == nil || (v.page.Endpoint != nil) != ofEndpoint {
		v.missing()
		return false
	}
	v.at, v.title = id, v.page.Title
	return true
}

// showProduct shows a product, with its overview page if it has one.
func (v *visit) showProduct(id string) {
	if v.choose(id, "") {
		v.title = v.product.Name
		v.render(http.StatusOK, v.overview)
	}
}

func (v *visit) showPage(product, id string) {
	if v.load(product, id, false) {
		v.render(http.StatusOK, v.article)
	}
}

// showEndpoint shows a method, and tries it when somebody asks for that.
func (v *visit) showEndpoint(product, id string, post bool) {
	if !v.load(product, id, true) {
		return
	}
	v.try = newTry(v.page.Endpoint)
	status := http.StatusOK
	if post {
		status = v.send()
	}
	v.render(status, v.reference)
}

// ownForm tells whether a form is this site's, by what the browser says (Fetch Metadata, and Origin for those without it). A client that says nothing is no browser.
func (v *visit) ownForm() bool {
	if site := v.r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	origin := v.r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, v.r.Host)
}

// showLogo answers with the image. One that is opened by itself, as a document, runs nothing either.
func (v *visit) showLogo() {
	var l logo
	err := v.portals.deps.Store.View(v.r.Context(), func(r store.Reader) (err error) {
		l, _, err = record.Get[logo](r, logoKey(v.site.portal, v.site.edition))
		return err
	})
	if err != nil || l.Type == "" {
		v.missing()
		return
	}
	v.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	v.w.Header().Set("Content-Type", l.Type)
	_, _ = v.w.Write(l.Body)
}
