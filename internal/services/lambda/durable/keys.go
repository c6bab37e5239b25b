package durable

import (
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store/key"
)

func (r Ref) root(kind string) key.Key { return key.New("lambda.durable", r.Account, r.Region, kind) }

func (r Ref) executionKey() key.Key                  { return r.root("e").Str(r.ID) }
func (r Ref) nameKey() key.Key                       { return r.root("n").Str(r.Name) }
func (r Ref) listKey() key.Key                       { return r.root("l").Str(r.Function) }
func (r Ref) listedKey(start time.Time) key.Key      { return r.listKey().Time(start).Str(r.ID) }
func (r Ref) operationsKey() key.Key                 { return r.root("o").Str(r.ID) }
func (r Ref) operationKey(seq uint64) key.Key        { return r.operationsKey().Uint(seq) }
func (r Ref) indexKey() key.Key                      { return r.root("i").Str(r.ID) }
func (r Ref) historyKey() key.Key                    { return r.root("h").Str(r.ID) }
func (r Ref) eventKey(id int32) key.Key              { return r.historyKey().Uint(uint64(id)) }
func (r Ref) dueKey() key.Key                        { return r.root("d").Str(r.ID) }
func (r Ref) blobsKey() key.Key                      { return r.root("b").Str(r.ID) }
func (r Ref) dueAt(t time.Time, d due) key.Key       { return r.dueKey().Time(t).Uint(d.seq).Str(d.kind) }
func (r Ref) blobKey(id blob.ID) key.Key             { return r.blobsKey().Str(string(id)) }
func (r Ref) holderKey(id blob.ID) key.Key           { return holders(id).Str(r.Account).Str(r.Region).Str(r.ID) }
func (r Ref) operationIndex(operation string) []byte { return r.indexKey().Str(operation) }

// holders are the executions that hold a blob.
func holders(id blob.ID) key.Key { return key.New("lambda.durable.blob", string(id)) }

// due is something that happens to an operation when its time has come, or to the execution when seq is 0.
type due struct {
	seq  uint64
	kind string
}

// The kinds of due.
const (
	dueWait      = "wait"
	dueRetry     = "retry"
	dueCallback  = "callback"
	dueHeartbeat = "heartbeat"
	dueTimeout   = "timeout"
	dueRetention = "retention"
)
