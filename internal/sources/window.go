package sources

import (
	"encoding/json"
	"time"
)

// maxState is the largest state of a tumbling window, in bytes; a larger one ends the window early.
const maxState = 1 << 20

// runWindows hands over batches with the state of their tumbling window
// (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html): the function returns the state for its next batch, and is called once
// more when the window is over.
func (l *lane) runWindows() {
	for {
		if len(l.held) == 0 {
			var open bool
			if l.held, open = l.waitInWindow(); !open {
				return
			}
		}
		if len(l.held) == 0 || l.window != nil && !l.held[0].arrived.Before(l.window.Start.Add(l.Tumbling)) {
			if !l.closeWindow(false) {
				return
			}
			continue
		}
		if l.window == nil {
			l.window = &windowState{Start: l.held[0].arrived.Truncate(l.Tumbling).UTC()}
		}
		end := l.window.Start.Add(l.Tumbling)
		batch, _ := l.collect(func(r *streamRecord) bool { return !r.arrived.Before(end) })
		if len(batch) > 0 && !l.processInWindow(batch) {
			return
		}
	}
}

// waitInWindow returns the next records; none when the open window is over before they come. open is false when nothing more will come.
func (l *lane) waitInWindow() (list []*streamRecord, open bool) {
	var over <-chan time.Time
	if l.window != nil {
		t := l.Clock.NewTimer(l.window.Start.Add(l.Tumbling).Sub(l.Clock.Now()))
		defer t.Stop()
		over = t.C()
	}
	select {
	case list, open = <-l.records:
		return list, open
	case <-over:
		return nil, true
	}
}

// members are what an event has beside its records.
func (l *lane) members(final, early bool) map[string]any {
	state := l.window.State
	if state == nil {
		state = json.RawMessage("{}")
	}
	const layout = "2006-01-02T15:04:05Z"
	return map[string]any{
		"window":  map[string]string{"start": l.window.Start.Format(layout), "end": l.window.Start.Add(l.Tumbling).Format(layout)},
		"state":   state,
		"shardId": l.id, "eventSourceARN": l.Source.String(), "isFinalInvokeForWindow": final, "isWindowTerminatedEarly": early,
	}
}

// processInWindow deals with a batch of the open window.
func (l *lane) processInWindow(batch []*streamRecord) bool {
	for tries := 0; ; tries++ {
		if batch = l.wanted(batch, tries); len(batch) == 0 {
			return true
		}
		answer, ok := l.hand(batch, l.members(false, false), tries)
		if !ok {
			return false
		}
		if answer == nil {
			return true
		}
		rest := l.left(batch, answer)
		if len(rest) < len(batch) {
			l.window = &windowState{Start: l.window.Start, State: stateOf(answer.Payload)}
			l.dealt(nil, batch[:len(batch)-len(rest)]...)
			if len(l.window.State) > maxState && !l.closeWindow(true) {
				return false
			}
			tries = -1
		}
		if len(rest) == 0 {
			l.report(OK)
			return true
		}
		l.report(problem + "Function call failed")
		if l.Retries != Forever && tries >= l.Retries {
			l.giveUp(rest, conditionRetries, tries+1, answer)
			return true
		}
		if batch = rest; !l.pause(tries + 1) {
			return false
		}
	}
}

// closeWindow calls the function for the last time in the window. A function that fails on that is called again as for a batch.
func (l *lane) closeWindow(early bool) bool {
	for tries := 1; ; tries++ {
		answer, ok := l.hand(nil, l.members(true, early), 0)
		if !ok {
			return false
		}
		if answer.Failure == "" || l.Retries != Forever && tries > l.Retries {
			break
		}
		l.report(problem + "Function call failed")
		if !l.pause(tries) {
			return false
		}
	}
	l.window = nil
	l.dealt(nil)
	return true
}

// stateOf is the state in a function's answer.
func stateOf(payload []byte) json.RawMessage {
	var doc struct {
		State json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(payload, &doc); err != nil {
		return nil
	}
	return doc.State
}
