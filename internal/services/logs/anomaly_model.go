package logs

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

const (
	// maxPatterns is how many patterns a detector knows. One more takes the place of the one that was not seen for longest.
	maxPatterns = 500
	// maxWindows is how many windows before one it is compared with, and minWindows how many these must be.
	maxWindows, minWindows = 60, 12
	// minBurst is how many messages of a pattern a burst has at least.
	minBurst = 10
	// deviations is how many deviations above the usual a burst is.
	deviations = 6
	// minUsual is how many messages of a pattern are usual in a window, at least, for their absence to tell something; it must have been in this part of the windows before.
	minUsual   = 3
	usualShare = 0.95
	// jump is how many times the usual count is a great deviation: an increase by 500 %.
	jump = 6
	// maxFindings is how many new anomalies one window makes, the gravest ones.
	maxFindings = 20
	// maxSamples is how many messages show an anomaly, and maxValues how many values each token that varies.
	maxSamples, maxValues = 5, 10
)

// learnt is the record of a pattern that a detector knows. Times are Unix milliseconds.
type learnt struct {
	Parts       []patternPart
	First, Last int64
	// Windows are the counts of the last windows that had messages of the pattern, the oldest first.
	Windows []windowCount
	// Peak is the greatest count of a window in which nothing was wrong.
	Peak int64
	// Sample is a message of the pattern.
	Sample sampleEvent
	// Suppressed is set while no anomalies of the pattern are wanted.
	Suppressed *suppression `json:",omitempty"`
}

// windowCount is how many messages of a pattern came in the window that begins at At, in Unix milliseconds.
type windowCount struct{ At, N int64 }

// sampleEvent is a log event of a pattern, its message cut to what is looked at.
type sampleEvent struct {
	At      int64
	Message string
}

// seenPattern is what a window has of a pattern.
type seenPattern struct {
	parts   []patternPart
	n, last int64
	samples []sampleEvent
	values  []map[string]int64
}

// add counts one message. Unless it is only counted, it shows what an anomaly is about.
func (p *seenPattern) add(t *tokenised, at int64, message string, only bool) {
	p.n++
	p.last = max(p.last, at)
	if len(p.samples) == 0 || len(p.samples) < maxSamples && !only {
		p.samples = append(p.samples, sampleEvent{at, cutMessage(message)})
	}
	if only {
		return
	}
	if p.values == nil {
		p.values = make([]map[string]int64, len(t.values))
	}
	for i, v := range t.values {
		switch m := p.values[i]; {
		case m == nil:
			p.values[i] = map[string]int64{v: 1}
		case len(m) < maxValues || m[v] > 0:
			m[v]++
		}
	}
}

// window is what a detector saw in one window of its evaluation frequency, by the ids of the patterns.
type window struct {
	at       int64 // Unix milliseconds
	patterns map[string]*seenPattern
}

// The kinds of anomalies.
const (
	kindNew     = "new"
	kindBurst   = "burst"
	kindMissing = "missing"
)

// finding is something that is wrong with a pattern in a window.
type finding struct {
	kind, pattern string
	parts         []patternPart
	n             int64
	priority      priority
	description   string
	samples       []sampleEvent
	values        []map[string]int64
}

// priority is how much an anomaly matters.
type priority int

const (
	low priority = iota
	medium
	high
)

func (p priority) String() string { return [...]string{"LOW", "MEDIUM", "HIGH"}[p] }

// priorityOf follows from the words of a pattern and from how far its count is from what is usual: 0, 1 or 2.
func priorityOf(s severity, deviation int) priority { return min(priority(int(s)+deviation), high) }

// model is what a detector has learnt, by the ids of the patterns.
type model struct {
	patterns map[string]*learnt
	changed  map[string]bool
	// since is when the first of the windows began that were looked at one after another, and width how long a window is, in milliseconds.
	since, width int64
}

// learn adds a window to the model, and tells what was wrong with it; nothing is when judge is false.
func (m *model) learn(w *window, judge bool) []finding {
	var out []finding
	for id, seen := range w.patterns {
		var f *finding
		if judge {
			if f = m.judge(w, id, m.patterns[id], seen); f != nil {
				out = append(out, *f)
			}
		}
		m.note(w.at, id, seen, f != nil)
	}
	if judge {
		out = append(out, m.absent(w)...)
	}
	m.forget()
	slices.SortFunc(out, func(a, b finding) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(b.n, a.n), cmp.Compare(a.pattern, b.pattern))
	})
	return out
}

// note keeps the count of a pattern in a window; wrong tells that it is no measure for others.
func (m *model) note(at int64, id string, seen *seenPattern, wrong bool) {
	k := m.patterns[id]
	if k == nil {
		k = &learnt{Parts: seen.parts, First: at}
		m.patterns[id] = k
	}
	k.Last, k.Sample = max(k.Last, seen.last), seen.samples[0]
	k.Windows = append(k.Windows, windowCount{at, seen.n})
	if over := len(k.Windows) - maxWindows; over > 0 {
		k.Windows = slices.Delete(k.Windows, 0, over)
	}
	if !wrong {
		k.Peak = max(k.Peak, seen.n)
	}
	m.changed[id] = true
}

// before returns the counts of a pattern in the windows before the one at at, in order of size; nil when there are too few of them.
func (m *model) before(k *learnt, at int64) []int64 {
	n := int(min((at-m.since)/m.width, maxWindows))
	if n < minWindows {
		return nil
	}
	out := make([]int64, 0, n)
	if k != nil {
		for _, w := range k.Windows {
			if w.At < at && w.At >= at-int64(n)*m.width {
				out = append(out, w.N)
			}
		}
	}
	out = append(out, make([]int64, n-len(out))...)
	slices.Sort(out)
	return out
}

// usual returns the median of sorted counts, and how far they are from it as a rule: the median of the distances, brought to a standard deviation, and no less than chance makes it.
func usual(counts []int64) (median, deviation float64) {
	median = float64(counts[len(counts)/2])
	far := make([]float64, len(counts))
	for i, c := range counts {
		far[i] = math.Abs(float64(c) - median)
	}
	slices.Sort(far)
	return median, max(1.4826*far[len(far)/2], math.Sqrt(median), 1)
}

// judge tells what is wrong with the count of a pattern, or nil.
func (m *model) judge(w *window, id string, k *learnt, seen *seenPattern) *finding {
	f := &finding{pattern: id, parts: seen.parts, n: seen.n, samples: seen.samples, values: seen.values}
	s := severityOf(patternText(seen.parts))
	if k == nil && s > plain {
		f.kind, f.priority = kindNew, priorityOf(s, 0)
		f.description = fmt.Sprintf("A pattern that was not seen before: %d log events", seen.n)
		return f
	}
	counts := m.before(k, w.at)
	if counts == nil || seen.n < minBurst || k != nil && seen.n <= k.Peak {
		return nil
	}
	median, deviation := usual(counts)
	if float64(seen.n) <= median+deviations*deviation {
		return nil
	}
	far := 1
	if float64(seen.n) >= jump*max(median, 1) {
		far = 2
	}
	f.kind, f.priority = kindBurst, priorityOf(s, far)
	f.description = fmt.Sprintf("More log events of a pattern than usual: %d instead of %.0f", seen.n, median)
	return f
}

// absent finds the patterns that are in a window as a rule and are not in this one.
func (m *model) absent(w *window) (out []finding) {
	for id, k := range m.patterns {
		counts := m.before(k, w.at)
		if w.patterns[id] != nil || counts == nil || counts[int(float64(len(counts))*(1-usualShare))] == 0 {
			continue
		}
		if median, _ := usual(counts); median >= minUsual {
			out = append(out, finding{
				kind: kindMissing, pattern: id, parts: k.Parts, samples: []sampleEvent{k.Sample}, priority: priorityOf(severityOf(patternText(k.Parts)), 1),
				description: fmt.Sprintf("No log events of a pattern of which %.0f are usual", median),
			})
		}
	}
	return out
}

// forget drops the patterns that were not seen for longest when there are too many.
func (m *model) forget() {
	over := len(m.patterns) - maxPatterns
	if over <= 0 {
		return
	}
	var ids []string
	for id, k := range m.patterns {
		if k.Suppressed == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.patterns[a].Last, m.patterns[b].Last), cmp.Compare(a, b))
	})
	for _, id := range ids[:min(over, len(ids))] {
		delete(m.patterns, id)
		m.changed[id] = true
	}
}
