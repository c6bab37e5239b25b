package s3

import (
	"slices"
	"strings"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
)

// lensCriteria are the conditions of the filter of a Storage Lens group. Within one, any value does.
type lensCriteria = control.StorageLensGroupAndOperator

const (
	maxLensElements = 10
	maxLensAffix    = 1024
	// maxLensSize is 50 TB, more than any object has.
	maxLensSize = 50 << 40
)

// lensCriteriaOf returns the conditions of a filter, and whether one of them is enough.
func lensCriteriaOf(f *control.StorageLensGroupFilter) (c lensCriteria, some bool) {
	switch {
	case f.And != nil:
		return *f.And, false
	case f.Or != nil:
		return lensCriteria(*f.Or), true
	}
	return lensCriteria{MatchAnyPrefix: f.MatchAnyPrefix, MatchAnySuffix: f.MatchAnySuffix, MatchAnyTag: f.MatchAnyTag, MatchObjectAge: f.MatchObjectAge, MatchObjectSize: f.MatchObjectSize}, false
}

// lensElements counts what is there.
func lensElements(all ...bool) (n int) {
	for _, there := range all {
		if there {
			n++
		}
	}
	return n
}

// checkLensGroup refuses a group whose name or filter Storage Lens does not take.
func checkLensGroup(p lensPlace, g *control.StorageLensGroup) error {
	f := g.Filter
	operators := lensElements(f.And != nil, f.Or != nil)
	own := lensElements(f.MatchAnyPrefix != nil, f.MatchAnySuffix != nil, f.MatchAnyTag != nil, f.MatchObjectAge != nil, f.MatchObjectSize != nil)
	c, _ := lensCriteriaOf(f)
	joined := lensElements(c.MatchAnyPrefix != nil, c.MatchAnySuffix != nil, c.MatchAnyTag != nil, c.MatchObjectAge != nil, c.MatchObjectSize != nil)
	switch {
	case !validLensGroupName(g.Name):
		return badLens("InvalidName", "The Storage Lens group Name parameter must have between 1 and 64 letters, digits, hyphens and underscores.")
	case g.StorageLensGroupArn != nil && *g.StorageLensGroupArn != p.groupARN(g.Name):
		return badLens("InvalidStorageLensGroupARN", "This Storage Lens group ARN isn't the one of the group: %s. Leave it out.", *g.StorageLensGroupArn)
	case own+operators != 1:
		return badLens("InvalidFilter", "A filter must include one of the following elements: And, Or, MatchAnyTag, MatchAnyPrefix, MatchAnySuffix, MatchObjectAge, MatchObjectSize. Join several of them with And or Or.")
	case operators == 1 && joined < 2:
		return badLens("InvalidLogicalOperator", "At least two sub elements must be present in the logical operators And or Or.")
	}
	if err := checkLensTags(c.MatchAnyTag, f.And != nil); err != nil {
		return err
	}
	if err := checkLensAffixes("Prefix", c.MatchAnyPrefix); err != nil {
		return err
	}
	if err := checkLensAffixes("Suffix", c.MatchAnySuffix); err != nil {
		return err
	}
	return checkLensNumbers(c.MatchObjectAge, c.MatchObjectSize)
}

func checkLensAffixes(kind string, all []string) error {
	switch {
	case all == nil:
		return nil
	case len(all) == 0:
		return badLens("InvalidMatchAny"+kind, "The MatchAny%s parameter can't be empty.", kind)
	case len(all) > maxLensElements:
		return tooManyLensElements("MatchAny" + kind)
	}
	for i, text := range all {
		if text == "" || len(text) > maxLensAffix {
			return badLens("Invalid"+kind, "A %s can't be empty and has no more than %d characters.", strings.ToLower(kind), maxLensAffix)
		}
		if slices.Contains(all[:i], text) {
			return badLens("DuplicateElement", "MatchAny%s includes %q twice.", kind, text)
		}
	}
	return nil
}

func tooManyLensElements(name string) error {
	return badLens("TooManyElements", "%s exceeds the maximum number of elements allowed within a logical operator: only %d prefixes, suffixes, or tags are allowed.", name, maxLensElements)
}

// checkLensTags looks at the tags of a filter; keys tells that each key may be there once only.
func checkLensTags(all []control.S3Tag, keys bool) error {
	switch {
	case all == nil:
		return nil
	case len(all) == 0:
		return badLens("InvalidMatchAnyTag", "The MatchAnyTag parameter can't be empty.")
	case len(all) > maxLensElements:
		return tooManyLensElements("MatchAnyTag")
	}
	for i, t := range all {
		if t.Key == "" || len([]rune(t.Key)) > 128 || len([]rune(t.Value)) > 256 || !tagText(t.Key) || !tagText(t.Value) {
			return badLens("InvalidTag", "The object tag %q is not valid: its key has 1 to 128 characters and its value at most 256, of letters, digits, spaces and _.:/=+-@.", t.Key)
		}
		if slices.ContainsFunc(all[:i], func(o control.S3Tag) bool { return o.Key == t.Key && (keys || o.Value == t.Value) }) {
			return badLens("DuplicateElement", "Tags must be unique: %q is there twice.", t.Key)
		}
	}
	return nil
}

func checkLensNumbers(age *control.MatchObjectAge, size *control.MatchObjectSize) error {
	if age != nil {
		more, less := age.DaysGreaterThan, age.DaysLessThan
		switch {
		case more == nil && less == nil:
			return badLens("InvalidMatchObjectAge", "The MatchObjectAge parameter can't be empty.")
		case more != nil && *more < 1 || less != nil && *less < 1:
			return badLens("InvalidAge", "DaysLessThan and DaysGreaterThan must be positive numbers.")
		case more != nil && less != nil && *more >= *less:
			return badLens("InvalidNumericCombination", "This object age or object size combination isn't valid: DaysGreaterThan must be less than DaysLessThan.")
		}
	}
	if size == nil {
		return nil
	}
	switch more, less := size.BytesGreaterThan, size.BytesLessThan; {
	case more == nil && less == nil:
		return badLens("InvalidMatchObjectSize", "The MatchObjectSize parameter can't be empty.")
	case more != nil && (*more < 1 || *more >= maxLensSize) || less != nil && (*less < 1 || *less > maxLensSize):
		return badLens("InvalidSize", "BytesLessThan and BytesGreaterThan must be positive numbers, and no more than 50 TB.")
	case more != nil && less != nil && *more >= *less:
		return badLens("InvalidNumericCombination", "This object age or object size combination isn't valid: BytesGreaterThan must be less than BytesLessThan.")
	}
	return nil
}

// lensMatches tells whether a version of an object is in a group, at a time. The age of a version is that since it was made.
func lensMatches(f *control.StorageLensGroupFilter, object string, v *version, now time.Time) bool {
	c, some := lensCriteriaOf(f)
	var met, all int
	is := func(there, holds bool) {
		if there {
			all++
			if holds {
				met++
			}
		}
	}
	is(c.MatchAnyPrefix != nil, slices.ContainsFunc(c.MatchAnyPrefix, func(p string) bool { return strings.HasPrefix(object, p) }))
	is(c.MatchAnySuffix != nil, slices.ContainsFunc(c.MatchAnySuffix, func(p string) bool { return strings.HasSuffix(object, p) }))
	is(c.MatchAnyTag != nil, slices.ContainsFunc(c.MatchAnyTag, func(t control.S3Tag) bool { return slices.Contains(v.Tags, tag{t.Key, t.Value}) }))
	if a := c.MatchObjectAge; a != nil {
		age := now.Sub(v.Modified)
		is(true, (a.DaysGreaterThan == nil || age > time.Duration(*a.DaysGreaterThan)*day) && (a.DaysLessThan == nil || age < time.Duration(*a.DaysLessThan)*day))
	}
	if z := c.MatchObjectSize; z != nil {
		is(true, (z.BytesGreaterThan == nil || v.Size > *z.BytesGreaterThan) && (z.BytesLessThan == nil || v.Size < *z.BytesLessThan))
	}
	return met == all || some && met > 0
}
