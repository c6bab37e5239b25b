// Package reshape copies values between types that say the same in two ways, such as the answer of an API and the properties of a template.
//
// A member goes to the member of the same name, whatever its case. The name of a field of the target is the one in its cfn tag, or its own. What the target has no place for is
// left out, and what the source does not say stays as it is: nil, the empty string, an empty list or map say nothing. A scalar is brought to the type of its place: "30" fills
// an integer. Where the target takes any value, a text that holds a JSON object or array is decoded. A map fills a list of elements with Key and Value, and such a list a map; tags
// that begin with "aws:" are those of the platform and are left out.
//
// The package works by reflection and keeps nothing.
package reshape
