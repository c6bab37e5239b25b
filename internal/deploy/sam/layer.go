package sam

import "strings"

// layer expands AWS::Serverless::LayerVersion. Layers are immutable, so the logical id changes with the content and the name stays.
func (t *transform) layer(s source) error {
	if s.properties["ContentUri"] == nil {
		return invalid(s.id, "Missing required property 'ContentUri'.")
	}
	hashed := object{}
	for k, v := range s.properties {
		hashed[k] = v
		switch k {
		case "LayerName", "LicenseInfo", "Description", "RetentionPolicy":
			hashed[k] = t.resolve(v)
			s.properties[k] = hashed[k]
		}
	}
	r := object{"Type": typeLayer, "Properties": hashed}
	for _, k := range []string{"Condition", "DependsOn"} {
		if v, has := s.attributes[k]; has {
			r[k] = v
		}
	}
	id, err := logicalID(s.id, object{s.id: r})
	if err != nil {
		return err
	}
	content, err := location(s.id, "ContentUri", s.properties["ContentUri"], "S3Bucket", "S3Key", "S3ObjectVersion")
	if err != nil {
		return err
	}
	p := object{"Content": content, "LayerName": s.id}
	s.copyTo(p, "LayerName", "Description", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo")
	out := s.derived("AWS::Lambda::LayerVersion", p)
	if d, has := s.attributes["DependsOn"]; has {
		out["DependsOn"] = d
	}
	if _, has := out["DeletionPolicy"]; !has {
		out["DeletionPolicy"] = "Retain"
	}
	if v, has := s.properties["RetentionPolicy"]; has {
		text, _ := v.(string)
		switch {
		case strings.EqualFold(text, "Retain"):
			out["DeletionPolicy"] = "Retain"
		case strings.EqualFold(text, "Delete"):
			out["DeletionPolicy"] = "Delete"
		default:
			return invalid(s.id, "'RetentionPolicy' must be one of the following options: ['Retain', 'Delete'].")
		}
	}
	t.out[id] = out
	t.renamed[s.id] = id
	return nil
}
