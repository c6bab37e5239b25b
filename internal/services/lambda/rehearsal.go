package lambda

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The tags by which a function asks to be treated worse than it needs to be, so that its callers can be tested for that.
const (
	platformTags     = "lambent:"
	rehearsalTags    = "lambent:rehearse-"
	tagColdStart     = rehearsalTags + "cold-start"
	tagThrottle      = rehearsalTags + "throttle"
	tagError         = rehearsalTags + "error"
	maxRehearsedWait = 10 * time.Second
)

// rehearsal is what is rehearsed with a function.
type rehearsal struct {
	// coldStart is added to the initialisation of on-demand environments.
	coldStart time.Duration
	// throttle and failure are the shares of the invocations that are throttled, for reason, and that fail as if their process had ended.
	throttle, failure float64
	reason            string
}

// throttleReasons are those that the API's model knows.
func throttleReasons() []string {
	return []string{
		reasonAccount, reasonRate, reasonReserved, reasonReservedRate, reasonCaller, reasonSnapshots,
	}
}

// parseRehearsal reads the platform's tags of a function; nil means that nothing is rehearsed.
func parseRehearsal(tags map[string]string) (*rehearsal, error) {
	var r *rehearsal
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if !strings.HasPrefix(name, platformTags) {
			continue
		}
		if r == nil {
			r = &rehearsal{reason: reasonAccount}
		}
		var err error
		switch value := tags[name]; name {
		case tagColdStart:
			if r.coldStart, err = time.ParseDuration(value); err != nil || r.coldStart < 0 || r.coldStart > maxRehearsedWait {
				return nil, invalid("The value %q of the tag %s is not a duration up to %v, such as 800ms.", value, name, maxRehearsedWait)
			}
		case tagThrottle:
			rate, reason, given := strings.Cut(value, "/")
			if r.throttle, err = parseRate(name, rate); err != nil {
				return nil, err
			}
			if given && !slices.Contains(throttleReasons(), reason) {
				return nil, invalid("The reason %q in the tag %s is not one of %v.", reason, name, throttleReasons())
			}
			if given {
				r.reason = reason
			}
		case tagError:
			if r.failure, err = parseRate(name, value); err != nil {
				return nil, err
			}
		default:
			return nil, invalid("There is no tag %s; the platform's own are %s, %s and %s.", name, tagColdStart, tagThrottle, tagError)
		}
	}
	return r, nil
}

func parseRate(tag, value string) (float64, error) {
	rate, err := strconv.ParseFloat(value, 64)
	if err != nil || !(rate >= 0 && rate <= 1) {
		return 0, invalid("The value %q of the tag %s is not a share from 0 to 1, such as 0.05.", value, tag)
	}
	return rate, nil
}

// throttles draws whether an invocation is throttled.
func (r *rehearsal) throttles(random io.Reader) (bool, error) {
	if r == nil || r.throttle == 0 {
		return false, nil
	}
	v, err := draw(random)
	return v < r.throttle, err
}

// fails draws whether an invocation fails.
func (r *rehearsal) fails(random io.Reader) (bool, error) {
	if r == nil || r.failure == 0 {
		return false, nil
	}
	v, err := draw(random)
	return v < r.failure, err
}

// draw returns a number in [0, 1).
func draw(random io.Reader) (float64, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0, fmt.Errorf("draw a number: %w", err)
	}
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53), nil
}

// serveRehearsals answers GET /_lambent/rehearsals: what is rehearsed with which function.
func (l *Lambda) serveRehearsals(w http.ResponseWriter, r *http.Request) {
	type shown struct {
		Function string            `json:"function"`
		Tags     map[string]string `json:"tags"`
	}
	list := []shown{}
	err := l.deps.Store.View(r.Context(), func(rd store.Reader) error {
		list = list[:0]
		for _, s := range scopesOf(rd) {
			for row, err := range record.Range[function](rd, s.functions().Span()) {
				if err != nil {
					return err
				}
				tags := map[string]string{}
				for name, value := range row.Value.Tags {
					if strings.HasPrefix(name, rehearsalTags) {
						tags[name] = value
					}
				}
				if len(tags) > 0 {
					list = append(list, shown{Function: ref{scope: s, name: row.Value.Name}.arn(), Tags: tags})
				}
			}
		}
		return nil
	})
	if err != nil {
		l.deps.Log.ErrorContext(r.Context(), "functions could not be read", slog.Any("error", err))
		http.Error(w, "The functions cannot be read now.", http.StatusInternalServerError)
		return
	}
	writeJSON(w, map[string]any{"rehearsals": list})
}
