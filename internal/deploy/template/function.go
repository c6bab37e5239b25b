package template

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
)

// functions are the intrinsic functions whose arguments are evaluated first, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html.
var functions = map[string]func(e *Env, args any) (any, error){
	"Fn::Base64": base64Of, "Fn::Cidr": cidr, "Fn::GetAZs": zones, "Fn::ImportValue": importValue,
	"Fn::Join": join, "Fn::Select": selectItem, "Fn::Split": split, "Fn::Length": length, "Fn::ToJsonString": toJSON,
}

func base64Of(_ *Env, args any) (any, error) {
	s, ok := Text(args)
	if !ok {
		return nil, Errorf("Template error: every Fn::Base64 object must have a String-typed value.")
	}
	return base64.StdEncoding.EncodeToString([]byte(s)), nil
}

func join(_ *Env, args any) (any, error) {
	fail := Errorf("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.")
	l, ok := args.([]any)
	if !ok || len(l) != 2 {
		return nil, fail
	}
	delimiter, ok := l[0].(string)
	items, ok2 := l[1].([]any)
	if !ok || !ok2 {
		return nil, fail
	}
	parts := make([]string, len(items))
	for i, v := range items {
		if parts[i], ok = Text(v); !ok {
			return nil, fail
		}
	}
	return strings.Join(parts, delimiter), nil
}

func split(_ *Env, args any) (any, error) {
	l, ok := args.([]any)
	if ok && len(l) == 2 {
		delimiter, ok := l[0].(string)
		source, ok2 := Text(l[1])
		if ok && ok2 && delimiter != "" {
			out := []any{}
			for part := range strings.SplitSeq(source, delimiter) {
				out = append(out, part)
			}
			return out, nil
		}
	}
	return nil, Errorf("Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.")
}

const badSelect = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"

func selectItem(_ *Env, args any) (any, error) {
	l, ok := args.([]any)
	if !ok || len(l) != 2 {
		return nil, Errorf(badSelect)
	}
	text, _ := Text(l[0])
	i, err := strconv.Atoi(text)
	items, ok := l[1].([]any)
	if err != nil || !ok {
		return nil, Errorf(badSelect)
	}
	if i < 0 || i >= len(items) {
		return nil, Errorf("Template error: Fn::Select cannot select nonexistent value at index %d", i)
	}
	return items[i], nil
}

// findInMap evaluates Fn::FindInMap; its default value is evaluated only when it is needed.
func (e *Env) findInMap(argument any) (any, error) {
	l, ok := argument.([]any)
	if !ok || len(l) < 3 || len(l) > 4 {
		return nil, Errorf("Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value")
	}
	var keys [3]string
	for i := range keys {
		v, err := e.Resolve(l[i])
		if err != nil {
			return nil, err
		}
		if u, waits := findUnknown(v); waits {
			return u, nil
		}
		if keys[i], ok = Text(v); !ok {
			return nil, Errorf("Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value")
		}
	}
	first, _ := e.Template.Mappings[keys[0]].(map[string]any)
	second, _ := first[keys[1]].(map[string]any)
	if v, ok := second[keys[2]]; ok {
		return v, nil
	}
	if len(l) == 4 {
		if d, ok := l[3].(map[string]any); ok {
			if v, ok := d["DefaultValue"]; ok {
				return e.Resolve(v)
			}
		}
	}
	if first == nil {
		return nil, Errorf("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", keys[0])
	}
	return nil, Errorf("Template error: Unable to get mapping for %s::%s::%s", keys[0], keys[1], keys[2])
}

func zones(e *Env, args any) (any, error) {
	region, ok := args.(string)
	if !ok && args != nil {
		return nil, Errorf("Template error: Fn::GetAZs requires the name of a region")
	}
	if region == "" {
		region = e.Region
	}
	return []any{region + "a", region + "b", region + "c"}, nil
}

func importValue(e *Env, args any) (any, error) {
	name, ok := Text(args)
	if !ok || e.Import == nil {
		return nil, Errorf("Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string")
	}
	v, err := e.Import(name)
	if errors.Is(err, ErrNotYet) {
		return Unknown{}, nil
	}
	return v, err
}

func length(_ *Env, args any) (any, error) {
	l, ok := args.([]any)
	if !ok {
		return nil, Errorf("Template error: Fn::Length requires a list")
	}
	return int64(len(l)), nil
}

func toJSON(_ *Env, args any) (any, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(args); err != nil {
		return nil, Errorf("Template error: Fn::ToJsonString cannot write its argument: %v", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// cidr returns count address blocks of the given number of host bits, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-cidr.html.
func cidr(_ *Env, args any) (any, error) {
	fail := Errorf("Template error: Fn::Cidr requires an address block, a count from 1 to 256 and the number of host bits")
	l, ok := args.([]any)
	if !ok || len(l) < 2 || len(l) > 3 {
		return nil, fail
	}
	text, _ := Text(l[0])
	block, err := netip.ParsePrefix(text)
	countText, _ := Text(l[1])
	count, err2 := strconv.Atoi(countText)
	if err != nil || err2 != nil || count < 1 || count > 256 {
		return nil, fail
	}
	total, bits := block.Addr().BitLen(), 8
	if total == 128 {
		bits = 64
	}
	if len(l) == 3 {
		bitsText, _ := Text(l[2])
		if bits, err = strconv.Atoi(bitsText); err != nil || bits < 1 || bits > total {
			return nil, fail
		}
	}
	base := new(big.Int).SetBytes(block.Masked().Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	out := []any{}
	for range count {
		raw := make([]byte, total/8)
		if base.BitLen() > total {
			return nil, Errorf("Template error: Fn::Cidr cannot take %d blocks out of %s", count, text)
		}
		addr, _ := netip.AddrFromSlice(base.FillBytes(raw))
		if !block.Contains(addr) {
			return nil, Errorf("Template error: Fn::Cidr cannot take %d blocks out of %s", count, text)
		}
		out = append(out, netip.PrefixFrom(addr, total-bits).String())
		base.Add(base, step)
	}
	return out, nil
}
