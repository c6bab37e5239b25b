package order

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// card has a value that counts and one that does not.
type card struct{ Value, Place int }

func byValue(a, b card) int { return cmp.Compare(a.Value, b.Value) }

func cards(n int) []card {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	out := make([]card, n)
	for i := range out {
		out[i] = card{r.IntN(n/2 + 1), i}
	}
	return out
}

func TestSameOrderAsPackageSlices(t *testing.T) {
	for _, n := range []int{0, 1, 2, 13, 200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			given := cards(n)
			want := slices.Clone(given)
			slices.SortStableFunc(want, byValue)
			stable := slices.Clone(given)
			Stable(stable, byValue)
			if diff := gocmp.Diff(want, stable); diff != "" {
				t.Error("Stable:", diff)
			}
			if diff := gocmp.Diff(want, Sorted(given, byValue)); diff != "" {
				t.Error("Sorted:", diff)
			}
			if diff := gocmp.Diff(cards(n), given); diff != "" {
				t.Error("Sorted changed what it was given:", diff)
			}
			Sort(given, byValue)
			if !slices.IsSortedFunc(given, byValue) {
				t.Error("Sort:", given)
			}
		})
	}
}

func BenchmarkSort(b *testing.B) {
	given := cards(100)
	work := slices.Clone(given)
	for _, with := range []struct {
		name string
		sort func([]card, func(a, b card) int)
	}{{"order", Sort[card]}, {"slices", slices.SortFunc[[]card]}} {
		b.Run(with.name, func(b *testing.B) {
			for b.Loop() {
				copy(work, given)
				with.sort(work, byValue)
			}
		})
	}
}
