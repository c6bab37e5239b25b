// Package pack turns an application's folder into what a deploy needs: zip files of its functions, and a template
// that refers to them.
//
// It finds the local folders that a SAM template names (CodeUri, ContentUri, Code), builds Go functions, zips the
// rest as it is, and rewrites the template to s3:// locations named by content. It also reads which folders are to be copied into
// buckets (the Metadata key Lambent: {Sync, Config} of an AWS::S3::Bucket).
//
// # Invariants
//
//   - The same sources, toolchain and template give the same bytes: zips carry no times and are sorted, builds are
//     trimmed of paths, so an unchanged application is an unchanged deploy.
//   - A function whose sources did not change is not built again: the cache folder keeps each zip under the hash of
//     everything that the build reads. What the hash cannot see (a workspace, a replacement by a local path) is built every time.
//   - Nothing outside of the application's folder is written, save the cache.
//
// It runs on the user's side, in the command line, and therefore may start compilers and read files. It does not resolve
// dependencies of Python or Node.js functions: they must lie in the function's folder already, and it says how to put them there.
package pack
