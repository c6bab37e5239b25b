package lambda

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// snapStartTmp is the largest /tmp of a function with SnapStart, in MB, https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html.
const snapStartTmp = 512

// maxSnapshotCreations bounds the snapshots of one account and region that are being made.
const maxSnapshotCreations = 20

// restoreLimit bounds the hooks that run after a restoration, https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html.
const restoreLimit = 10 * time.Second

// snapStartRuntimes are those that AWS takes snapshots of, https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html.
func snapStartRuntimes() []string {
	return []string{"java11", "java17", "java21", "java25", "python3.12", "python3.13", "python3.14", "dotnet8", "dotnet10"}
}

// versionState is how far a published version is that takes time to prepare, or that could not be prepared.
type versionState struct {
	State        string // one of api.State…, or, of an update, of api.LastUpdateStatus…
	Code, Reason string
}

// pending is the state of a version whose preparation has begun.
func pending() *versionState {
	return &versionState{State: api.StatePending, Code: "Creating", Reason: "The function is being created."}
}

// is tells whether the state is the one given; that of a nil one is api.StateActive.
func (s *versionState) is(state string) bool {
	if s == nil {
		return state == api.StateActive
	}
	return s.State == state
}

// state is what the API shows.
func (v *version) state() string {
	switch {
	case v.State != nil:
		return v.State.State
	case v.Capacity != nil && v.Number == latest:
		return api.StateActiveNonInvocable
	}
	return api.StateActive
}

// show writes the state into what the API shows of the version.
func (s *versionState) show(c *api.FunctionConfiguration) {
	if s == nil {
		return
	}
	c.State, c.StateReason, c.StateReasonCode = s.State, &s.Reason, s.Code
	if s.State == api.StateFailed {
		c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusReasonCode = api.LastUpdateStatusFailed, &s.Reason, s.Code
	}
}

// checkSnapStart fails for a version that SnapStart cannot be applied to.
func (v *version) checkSnapStart() error {
	switch {
	case !v.SnapStart:
		return nil
	case v.Image != nil:
		return invalid("Container images are not supported for SnapStart enabled functions.")
	case !slices.Contains(snapStartRuntimes(), v.Runtime):
		return invalid("%s is not supported for SnapStart enabled functions.", v.Runtime)
	case v.Tmp > snapStartTmp:
		return invalid("Ephemeral storage of more than %d MB is not supported for SnapStart enabled functions. Set EphemeralStorage to %[1]d.", snapStartTmp)
	}
	return nil
}

// snapStart is what the API shows.
func (v *version) snapStart() *api.SnapStartResponse {
	out := &api.SnapStartResponse{ApplyOn: api.SnapStartApplyOnNone, OptimizationStatus: api.SnapStartOptimizationStatusOff}
	if v.SnapStart {
		out.ApplyOn = api.SnapStartApplyOnPublishedVersions
	}
	if v.restored() {
		out.OptimizationStatus = api.SnapStartOptimizationStatusOn
	}
	return out
}

// restored tells whether the environments of the version are restored from snapshots.
func (v *version) restored() bool { return v.SnapStart && v.Number != latest }

// snapshotRow is the record of a version that snapshots are kept of.
type snapshotRow struct {
	// Pending tells that the version waits for its first one.
	Pending bool `json:",omitempty"`
	// Used is when the version was invoked last, to the day, or when it became active.
	Used time.Time `json:",omitzero"`
}

// orderSnapshot has the first snapshot of a version made that is being published.
func (l *Lambda) orderSnapshot(tx store.Txn, r ref, v *version) error {
	making := 0
	for row, err := range record.Range[snapshotRow](tx, r.allSnapStarts().Span()) {
		if err != nil {
			return err
		}
		if row.Value.Pending {
			making++
		}
	}
	if making >= maxSnapshotCreations {
		return throttled(reasonSnapshots)
	}
	v.State = pending()
	return record.Set(tx, r.snapStarts(r.name).Str(v.Number), snapshotRow{Pending: true})
}

// invocable fails for a version that cannot be invoked in its state.
func (c *call) invocable() error {
	s := c.version.State
	switch {
	case s.is(api.StateActive) && c.version.Capacity != nil && c.version.Number == latest:
		return conflict("The unpublished version of a function with a capacity provider cannot be invoked. Publish a version, or publish to LATEST_PUBLISHED, which is what is invoked without a qualifier.")
	case s.is(api.StateActive):
		return nil
	case s.is(api.StatePending) && c.version.SnapStart:
		return notReady()
	}
	return notNow(s.State)
}

// restore carries an invocation out in an environment that is restored from a snapshot, for which a place has been reserved. When no snapshot is there,
// the function is initialised first, as it is on AWS when the snapshot was lost.
func (l *Lambda) restore(ctx context.Context, c *call) (outcome, error) {
	w := l.snapshotter.take(c.key)
	if w == nil {
		var err error
		if w, err = l.startWorker(ctx, c.ref, &c.version, launch{kind: snapStart}); err != nil {
			l.pools.free()
			return outcome{}, err
		}
		if took, err := l.initialised(ctx, w, &c.version, snapStart); err != nil {
			w.log.started(c.requestID, c.version.Number, c.traceID)
			return l.failed(w, c, err, took), nil
		}
	}
	stream, err := l.newStream(&c.version)
	if err == nil {
		err = w.env.Thaw()
	}
	if err != nil {
		l.pools.end(w)
		return outcome{}, err
	}
	w.log.restream(stream)
	began := l.deps.Clock.Now()
	w.log.restoring(&c.version)
	limit, cancel := withTimeout(ctx, l.deps.Clock, restoreLimit)
	err = w.env.Restore(limit)
	cancel()
	w.boot.restore = l.deps.Clock.Now().Sub(began)
	w.log.restored(err, w.boot.restore)
	if err == nil {
		return l.use(ctx, w, c, 0), nil
	}
	l.pools.end(w)
	if errors.Is(err, errTimeout) {
		return outcome{}, service.Errorf("SnapStartTimeoutException", "Lambda couldn't restore the snapshot within the timeout limit of %v.", restoreLimit).WithStatus(http.StatusRequestTimeout)
	}
	return outcome{}, service.Errorf("SnapStartException", "The snapshot could not be restored: %s. The log of the function says more.", failureType(err)).WithStatus(http.StatusBadRequest)
}

// initialised waits until an environment is initialised that is not for an invocation yet, and reports that in its log. It returns how long that took.
func (l *Lambda) initialised(ctx context.Context, w *worker, v *version, kind string) (time.Duration, error) {
	began := l.deps.Clock.Now()
	ready, cancel := withTimeout(ctx, l.deps.Clock, max(provisionLimit, time.Duration(v.Timeout)*time.Second))
	wait := w.env.WaitReady
	if kind == snapStart {
		wait = w.env.WaitSnapshot
	}
	err := wait(ready)
	cancel()
	took := l.deps.Clock.Now().Sub(began)
	w.env.Drain()
	w.log.initialised(kind, err, took)
	return took, err
}

// failureType is the type of what an initialisation or restoration has failed with, as logs show it; empty for a timeout.
func failureType(err error) string {
	var initError *rapi.InitError
	var restoreError *rapi.RestoreError
	switch {
	case errors.As(err, &initError):
		return initError.Type
	case errors.As(err, &restoreError):
		return restoreError.Type
	case errors.Is(err, errTimeout):
		return ""
	}
	return "Runtime.ExitError"
}

// roleCredentials are those of an environment that lives longer than one set of them: its programs ask for them, with a token.
type roleCredentials struct {
	l     *Lambda
	ref   ref
	role  string
	token string

	mu      sync.Mutex // guards the field below, and is held while new ones are made
	current port.Credentials
}

// roleCredentials returns the credentials of an environment that is started for a snapshot; nil where functions have none.
func (l *Lambda) roleCredentials(r ref, v *version, first port.Credentials) (*roleCredentials, error) {
	if first.AccessKeyID == "" {
		return nil, nil //nolint:nilnil // there are none
	}
	var token [32]byte
	if _, err := io.ReadFull(l.deps.Random, token[:]); err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	return &roleCredentials{l: l, ref: r, role: v.Role, token: hex.EncodeToString(token[:]), current: first}, nil
}

// environ are the variables by which the SDKs find the credentials.
func (c *roleCredentials) environ() []string {
	return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + runtimes.CredentialsURI, "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + c.token}
}

// document is what a program gets that shows a token; nil for another token.
func (c *roleCredentials) document(token string) []byte {
	if subtle.ConstantTimeCompare([]byte(token), []byte(c.token)) != 1 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.l.deps.Clock.Now().Add(credentialReserve).After(c.current.Expires) {
		fresh, err := c.l.credentials(context.Background(), c.ref, c.role)
		if err != nil {
			c.l.deps.Log.Error("the credentials of a function could not be renewed", slog.String("function", c.ref.function()), slog.Any("error", err))
		} else {
			c.current = fresh
		}
	}
	b, err := json.Marshal(struct {
		ID      string    `json:"AccessKeyId"`
		Secret  string    `json:"SecretAccessKey"`
		Token   string    `json:"Token"`
		Expires time.Time `json:"Expiration"`
	}{c.current.AccessKeyID, c.current.SecretAccessKey, c.current.SessionToken, c.current.Expires.UTC()})
	if err != nil {
		return nil
	}
	return b
}
