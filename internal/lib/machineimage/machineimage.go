// Package machineimage names the machine images that AWS's public parameters stand for. They are names only: nothing on this machine boots from one. An image has the same id
// wherever it is asked for, so that a parameter and a description of images agree.
package machineimage

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Image is a machine image in one region.
type Image struct {
	// ID is the image's id in the region, Parameter the path of the public parameter whose value that is.
	ID, Parameter string
	// Name, Description and Architecture are what a description of the image answers.
	Name, Description, Architecture string
}

// amazonLinux is the folder of the parameters of Amazon Linux
// (https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html).
const amazonLinux = "/aws/service/ami-amazon-linux-latest/"

// names are the images of Amazon Linux that lists show.
func names() []string {
	return []string{
		"al2023-ami-kernel-6.1-arm64", "al2023-ami-kernel-6.1-x86_64", "al2023-ami-kernel-default-arm64", "al2023-ami-kernel-default-x86_64",
		"al2023-ami-minimal-kernel-default-arm64", "al2023-ami-minimal-kernel-default-x86_64", "amzn2-ami-hvm-arm64-gp2", "amzn2-ami-hvm-x86_64-gp2",
		"amzn2-ami-kernel-5.10-hvm-arm64-gp2", "amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
	}
}

// ID returns the id in a region of the image that a public parameter stands for.
func ID(region, parameter string) string {
	h := sha256.Sum256([]byte(region + "\x00" + parameter))
	return "ami-" + hex.EncodeToString(h[:])[:17]
}

// Parameters returns the paths of the public parameters of the images that lists show, sorted.
func Parameters() []string {
	out := names()
	for i := range out {
		out[i] = amazonLinux + out[i]
	}
	slices.Sort(out)
	return out
}

// List returns the images of a region.
func List(region string) []Image {
	var out []Image
	for _, parameter := range Parameters() {
		name := strings.TrimPrefix(parameter, amazonLinux)
		architecture := "x86_64"
		if strings.Contains(name, "arm64") {
			architecture = "arm64"
		}
		out = append(out, Image{ID: ID(region, parameter), Parameter: parameter, Name: name, Description: "Amazon Linux, " + name, Architecture: architecture})
	}
	return out
}
