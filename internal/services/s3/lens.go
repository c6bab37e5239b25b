package s3

import (
	"net/http"
	"strings"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// lensPlace is where S3 Storage Lens keeps what an account made: its home region
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage_lens_basics_metrics_recommendations.html).
type lensPlace struct{ account, region string }

// lens is the record of a configuration, which S3's console calls a dashboard.
type lens struct {
	Configuration control.StorageLensConfiguration `json:"configuration"`
	Tags          []tag                            `json:"tags,omitempty"`
}

// lensGroup is the record of a Storage Lens group: objects that a filter picks from all buckets of its account.
type lensGroup struct {
	Name    string                         `json:"name"`
	Filter  control.StorageLensGroupFilter `json:"filter"`
	Created time.Time                      `json:"created"`
	Tags    []tag                          `json:"tags,omitempty"`
}

const (
	// defaultLens is the configuration that cannot be deleted and has no filters.
	defaultLens = "default-account-dashboard"
	// maxLensGroups is how many groups an account has in a region, and how many one configuration names.
	maxLensGroups = 50
	// maxLensFilter is how many buckets or regions a configuration names.
	maxLensFilter = 50
	// maxLensPage is how many entries a page of a list has.
	maxLensPage = 100
	// lensService is the service that writes exports.
	lensService = "storage-lens.s3.amazonaws.com"
)

func (p lensPlace) row(sort string) key.Key { return key.New("s3", p.account, p.region, sort) }

func (p lensPlace) lensesKey() key.Key { return p.row("lens") }

func (p lensPlace) lensKey(id string) key.Key { return p.lensesKey().Str(id) }

func (p lensPlace) groupsKey() key.Key { return p.row("lens-group") }

func (p lensPlace) groupKey(name string) key.Key { return p.groupsKey().Str(name) }

func (p lensPlace) lensARN(id string) string {
	return arn.New("s3", p.region, p.account, "storage-lens/"+id).String()
}

const lensGroupResource = "storage-lens-group/"

func (p lensPlace) groupARN(name string) string {
	return arn.New("s3", p.region, p.account, lensGroupResource+name).String()
}

// parseLensGroupARN reads the ARN of a group.
func parseLensGroupARN(text string) (p lensPlace, name string, ok bool) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "s3" {
		return p, "", false
	}
	name, ok = strings.CutPrefix(a.Resource, lensGroupResource)
	return lensPlace{a.Account, a.Region}, name, ok && validLensGroupName(name)
}

// validLensGroupName tells whether a name has 1 to 64 letters, digits, hyphens and underscores.
func validLensGroupName(name string) bool {
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// The errors of Storage Lens are those of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#S3LensErrorCodeList.

func noSuchLens() error {
	return fail("NoSuchConfiguration", http.StatusNotFound, "The specified configuration does not exist.")
}

// badLens is an error about what a configuration or a group says.
func badLens(code, format string, args ...any) error {
	return fail(code, http.StatusBadRequest, format, args...)
}

func findLens(r store.Reader, p lensPlace, id string) (lens, error) {
	l, ok, err := record.Get[lens](r, p.lensKey(id))
	if err == nil && !ok {
		err = noSuchLens()
	}
	return l, err
}

func findLensGroup(r store.Reader, p lensPlace, name string) (lensGroup, error) {
	g, ok, err := record.Get[lensGroup](r, p.groupKey(name))
	if err == nil && !ok {
		err = noSuchLens()
	}
	return g, err
}
