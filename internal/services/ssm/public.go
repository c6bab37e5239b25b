package ssm

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/lib/machineimage"
)

// publicPrefix is where AWS's own public parameters are, see
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html.
const publicPrefix = "/aws/service/"

// images are the prefixes of public parameters whose value is the id of a machine image.
var images = []string{"/aws/service/ami-amazon-linux-latest/", "/aws/service/ami-windows-latest/", "/aws/service/canonical/ubuntu/", "/aws/service/debian/release/", "/aws/service/cloud9/amis/"}

// publicTime is when the public parameters that follow from rules were last changed.
var publicTime = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// public returns one of AWS's public parameters. Their values are stable names of images, which no machine here boots from.
func public(region, name string) (*api.Parameter, bool) {
	value, ok := publicValue(region, name)
	return &api.Parameter{
		ARN: ptr("arn:aws:ssm:" + region + "::parameter" + name), Name: &name, Type: api.ParameterTypeString, Value: &value, Version: ptr(int64(1)),
		DataType: ptr("text"), LastModifiedDate: &publicTime,
	}, ok
}

func publicValue(region, name string) (string, bool) {
	for _, prefix := range images {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			return machineimage.ID(region, name), true
		}
	}
	rest, ok := strings.CutPrefix(name, "/aws/service/ecs/optimized-ami/")
	system, tail, cut := strings.Cut(rest, "/recommended")
	if !ok || !cut || system == "" {
		return "", false
	}
	id := machineimage.ID(region, "/aws/service/ecs/optimized-ami/"+system)
	switch tail {
	case "/image_id":
		return id, true
	case "/image_name":
		return system + "-ami-ecs", true
	case "":
		b, err := json.Marshal(map[string]any{"schema_version": 1, "image_name": system + "-ami-ecs", "image_id": id, "os": system, "ecs_runtime_version": "none", "ecs_agent_version": "none"})
		return string(b), err == nil
	}
	return "", false
}

// publicNames lists the public parameters below a path that ends with a slash.
func publicNames(path string, recursive bool) []string {
	return slices.DeleteFunc(machineimage.Parameters(), func(name string) bool { return !isBelow(name, path, recursive) })
}
