package lambda

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// maxHops is how often an event may come back to a function before the loop is ended
// (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
const maxHops = 16

// maxLineage bounds the functions that a lineage names; the oldest are forgotten first.
const maxLineage = 8

// conditionLoop is the condition under which an event of a recursive loop is given up.
const conditionLoop = "RecursiveInvocation"

// trace sets the tracing header that the function sees: the caller's, or a new one, with one more visit to the function in its lineage. The SDKs inside of
// functions pass the header on, and so do queues, topics and buckets. It fails when the event has come back too often and the function does
// not allow that.
func (c *call) trace(header string, now time.Time) error {
	hash := functionHash(c.ref)
	if header == "" {
		c.traceID = newRoot(c.requestID, now, c.version.Traced) + ";Lineage=" + hash + ":1"
		return nil
	}
	root, lineage := splitTrace(header)
	visits := 0
	var others []string
	for part := range strings.SplitSeq(lineage, "|") {
		name, count, _ := strings.Cut(part, ":")
		if name == hash {
			visits, _ = strconv.Atoi(count)
		} else if part != "" {
			others = append(others, part)
		}
	}
	if visits >= maxHops && c.function.Recursion != api.RecursiveLoopAllow {
		c.meters.add(now, loopsStopped, 1)
		return errLoop(c.ref)
	}
	if root == "" {
		root = newRoot(c.requestID, now, c.version.Traced)
	}
	others = others[max(0, len(others)-maxLineage+1):]
	c.traceID = root + ";Lineage=" + strings.Join(append(others, hash+":"+strconv.Itoa(min(visits, maxHops)+1)), "|")
	return nil
}

// maxTrace bounds the part of a tracing header that is passed on, in bytes.
const maxTrace = 256

// splitTrace takes the lineage out of a tracing header; without a root the header counts as none.
func splitTrace(header string) (rest, lineage string) {
	var kept []string
	rooted := false
	for part := range strings.SplitSeq(header, ";") {
		part = strings.TrimSpace(part)
		if l, ok := strings.CutPrefix(part, "Lineage="); ok {
			lineage = l
			continue
		}
		rooted = rooted || strings.HasPrefix(part, "Root=")
		kept = append(kept, part)
	}
	rest = strings.Join(kept, ";")
	if !rooted || len(rest) > maxTrace || strings.ContainsAny(rest, "\r\n") {
		return "", lineage
	}
	return rest, lineage
}

// newRoot makes a tracing header for an invocation that came without one, with the digits of the request id.
func newRoot(requestID string, now time.Time, sampled bool) string {
	digits := strings.ReplaceAll(requestID, "-", "")
	digits += strings.Repeat("0", max(0, 32-len(digits)))
	return "Root=1-" + strconv.FormatInt(now.Unix(), 16) + "-" + digits[:24] + ";Parent=" + digits[16:32] + ";Sampled=" + map[bool]string{true: "1", false: "0"}[sampled]
}

// functionHash stands for a function in a lineage.
func functionHash(r ref) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.function()))
	s := strconv.FormatUint(uint64(h.Sum32()), 16)
	return strings.Repeat("0", 8-len(s)) + s
}

func errLoop(r ref) *service.Error {
	return service.Errorf("RecursiveInvocationException", "Lambda has detected the function %s being invoked in a recursive loop and stopped it: "+
		"the event came back to it %d times. Break the loop, or allow it with PutFunctionRecursionConfig and RecursiveLoop Allow.", r.name, maxHops).WithStatus(400)
}
