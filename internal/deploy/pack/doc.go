// Package pack turns an application's folder into what a deploy needs: zip files of its functions, and a template
// that refers to them.
//
// It finds the local folders that a SAM template names (CodeUri, ContentUri, Code), builds the functions in them, and rewrites the
// template to s3:// locations named by content. It also reads which folders are to be copied into buckets (the Metadata key
// Lambent: {Sync, Config} of an AWS::S3::Bucket).
//
// An ImageUri that names a tar file, or a folder in the OCI image layout ("./image.tar", "oci:build/image", "tar:image.tar"), becomes such a location too: container
// images are built by other tools.
//
// # Builds
//
// A [recipe] says how a function is built. Go functions are compiled. TypeScript is bundled with esbuild, which is linked in: when the handler has no
// JavaScript file, or when Metadata says so as for SAM. What requirements.txt or package.json asks for is installed with the user's own pip or npm, unless
// a function brings its node_modules. Everything else is zipped as it is.
//
// # Invariants
//
//   - The same sources, toolchain and template give the same bytes: zips carry no times and are sorted, builds are
//     trimmed of paths, so an unchanged application is an unchanged deploy.
//   - A function whose sources did not change is not built again: the cache folder keeps each zip under the hash of
//     everything that the build reads. What the hash cannot see (a workspace, a replacement by a local path) is built every time.
//   - Packages are installed once for the same list of them: without a lock file, a later version is taken when the list changes.
//   - Nothing in the application's folder is written, and nothing outside of it but the cache.
//
// It runs on the user's side, in the command line, and therefore may start compilers and read files.
package pack
