package logs

import "lambent.dev/lambent/internal/store/key"

// scope is the account and region of a call; every key begins with them.
type scope struct{ account, region string }

func (s scope) root(kind string) key.Key { return key.New("logs", s.account, s.region, kind) }

func (s scope) groups() key.Key                   { return s.root("g") }
func (s scope) group(name string) key.Key         { return s.groups().Str(name) }
func (s scope) streams(group string) key.Key      { return s.root("s").Str(group) }
func (s scope) stream(group, name string) key.Key { return s.streams(group).Str(name) }
func (s scope) events(group string) key.Key       { return s.root("e").Str(group) }
func (s scope) eventsAt(group string, ms int64) key.Key {
	return s.events(group).Int(ms)
}

func (s scope) event(group string, ms int64, stream string, seq uint64) key.Key {
	return s.eventsAt(group, ms).Str(stream).Uint(seq)
}
func (s scope) indexes(group string) key.Key { return s.root("i").Str(group) }
func (s scope) index(group, stream string) key.Key {
	return s.indexes(group).Str(stream)
}

func (s scope) indexAt(group, stream string, ms int64, seq uint64) key.Key {
	return s.index(group, stream).Int(ms).Uint(seq)
}
