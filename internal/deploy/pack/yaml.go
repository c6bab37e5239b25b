package pack

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// child returns the value of a key of a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// setChild gives a key of a mapping a text.
func setChild(n *yaml.Node, key, value string) {
	if old := child(n, key); old != nil {
		*old = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		return
	}
	n.Content = append(n.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key},
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value})
}

// scalar returns the text of a plain value, or "".
func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// remote tells whether a code location is a URL and not a path.
func remote(path string) bool {
	return strings.HasPrefix(path, "s3://") || strings.HasPrefix(path, "https://") || strings.HasPrefix(path, "http://")
}
