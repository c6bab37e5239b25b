package kinesis

import (
	"context"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// reshard is a change of a stream's shards in one transaction. It keeps the open shards in order of their hash keys.
type reshard struct {
	tx   store.Txn
	st   *stream
	open []shardRecord
	now  time.Time
}

// reshard changes the shards of the stream that a request means.
func (s *Service) reshard(ctx context.Context, t target, fn func(r *reshard) error) error {
	return s.change(ctx, t, func(tx store.Txn, st *stream) error {
		if st.OnDemand {
			return service.Errorf(codeValidation, "Stream %s under account %s is in the ON_DEMAND mode, in which its shards cannot be changed. Change its mode with UpdateStreamMode first.",
				st.Name, st.place.account)
		}
		return fn(&reshard{tx, st, slices.Clone(st.open), s.clock.Now().UTC()})
	})
}

// find returns the place of an open shard among the open ones.
func (r *reshard) find(id string) (int, error) {
	sh, err := r.st.shard(r.tx, id)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(r.open, func(o shardRecord) bool { return o.Number == sh.Number })
	if i < 0 {
		return 0, invalid("Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.", id, r.st.Name, r.st.place.account)
	}
	return i, nil
}

// split replaces the open shard i by two, of which the second begins at at.
func (r *reshard) split(i int, at hashKey) error {
	old := r.open[i]
	if err := r.st.closeShard(r.tx, old, r.now); err != nil {
		return err
	}
	left, err := r.st.addShard(r.tx, shardRecord{Start: old.Start, End: at.previous(), Parent: &old.Number, Created: r.now})
	if err != nil {
		return err
	}
	right, err := r.st.addShard(r.tx, shardRecord{Start: at, End: old.End, Parent: &old.Number, Created: r.now})
	r.open = slices.Replace(r.open, i, i+1, left, right)
	return err
}

// merge replaces the open shards i and i+1 by one. parent is the first of them that the request named.
func (r *reshard) merge(i int, secondIsParent bool) error {
	left, right := r.open[i], r.open[i+1]
	for _, sh := range []shardRecord{left, right} {
		if err := r.st.closeShard(r.tx, sh, r.now); err != nil {
			return err
		}
	}
	parent, adjacent := &left.Number, &right.Number
	if secondIsParent {
		parent, adjacent = adjacent, parent
	}
	whole, err := r.st.addShard(r.tx, shardRecord{Start: left.Start, End: right.End, Parent: parent, Adjacent: adjacent, Created: r.now})
	r.open = slices.Replace(r.open, i, i+2, whole)
	return err
}

func (s *Service) splitShard(ctx context.Context, in *api.SplitShardInput) (*api.SplitShardOutput, error) {
	at, ok := parseHash(in.NewStartingHashKey)
	return &api.SplitShardOutput{}, s.reshard(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(r *reshard) error {
		i, err := r.find(in.ShardToSplit)
		if err != nil {
			return err
		}
		sh := &r.open[i]
		if !ok || at.compare(sh.Start.next()) <= 0 || at.compare(sh.End) >= 0 {
			return invalid("NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus the shard's StartingHashKey %s and less than the shard's EndingHashKey %s.",
				in.NewStartingHashKey, in.ShardToSplit, r.st.Name, r.st.place.account, sh.Start, sh.End)
		}
		if err := checkRoom(r.tx, r.st, 1); err != nil {
			return err
		}
		return r.split(i, at)
	})
}

func (s *Service) mergeShards(ctx context.Context, in *api.MergeShardsInput) (*api.MergeShardsOutput, error) {
	return &api.MergeShardsOutput{}, s.reshard(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(r *reshard) error {
		i, err := r.find(in.ShardToMerge)
		if err != nil {
			return err
		}
		j, err := r.find(in.AdjacentShardToMerge)
		if err != nil {
			return err
		}
		if i-j != 1 && j-i != 1 {
			return invalid("Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging",
				in.ShardToMerge, in.AdjacentShardToMerge, r.st.Name, r.st.place.account)
		}
		return r.merge(min(i, j), j < i)
	})
}

func (s *Service) updateShardCount(ctx context.Context, in *api.UpdateShardCountInput) (*api.UpdateShardCountOutput, error) {
	out := &api.UpdateShardCountOutput{TargetShardCount: &in.TargetShardCount}
	err := s.reshard(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(r *reshard) error {
		current, wanted := r.st.Open, int(in.TargetShardCount)
		out.StreamName, out.StreamARN, out.CurrentShardCount = &r.st.Name, new(r.st.arn()), new(int32(current))
		switch {
		case wanted > 2*current:
			return service.Errorf(codeLimit, "UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: %d Target shard count: %d", current, wanted)
		case 2*wanted < current:
			return service.Errorf(codeLimit, "UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: %d Target shard count: %d", current, wanted)
		}
		if err := checkRoom(r.tx, r.st, max(wanted-current, 0)); err != nil {
			return err
		}
		return r.scale(evenStarts(wanted))
	})
	return out, err
}

// scale brings the shards to those that begin at starts, by splits and merges of two, as AWS does: every shard has one or two parents.
func (r *reshard) scale(starts []hashKey) error {
	r.settle(starts)
	for _, start := range starts[1:] {
		i := r.at(start)
		if r.open[i].Start == start {
			continue
		}
		if err := r.split(i, start); err != nil {
			return err
		}
	}
	for i := 0; i+1 < len(r.open); {
		if slices.Contains(starts, r.open[i+1].Start) {
			i++
			continue
		}
		if err := r.merge(i, false); err != nil {
			return err
		}
	}
	return nil
}

// at returns the place of the open shard that has a hash key.
func (r *reshard) at(h hashKey) int {
	i, found := slices.BinarySearchFunc(r.open, h, func(sh shardRecord, h hashKey) int { return sh.Start.compare(h) })
	if !found {
		i--
	}
	return i
}

// settle moves the starts that lie within a thousandth of a shard's width of a boundary that is there already to it: what rounding made different stays as it is.
func (r *reshard) settle(starts []hashKey) {
	width := maxHash
	if len(starts) > 1 {
		width = starts[1]
	}
	near := hashKey{hi: width.hi >> 10, lo: width.lo>>10 | width.hi<<54}
	for k, start := range starts {
		i := r.at(start)
		for _, j := range []int{i, i + 1} {
			if j == len(r.open) {
				continue
			}
			there := r.open[j].Start
			if start.minus(there).compare(near) <= 0 || there.minus(start).compare(near) <= 0 {
				starts[k] = there
			}
		}
	}
}
