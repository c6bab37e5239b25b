// Package image keeps container images as folders that sandboxes can be started in, without a container engine.
//
// A [Store] takes an image from a registry, from a tar file (as `docker save`, podman, skopeo, buildkit and jib write them), or from a folder in the OCI image
// layout, and unpacks it: https://github.com/opencontainers/image-spec. What comes out is an [Image]: a read-only root folder and the image's configuration.
// Functions of container images run from it, and so do language runtimes that were added from an image.
//
// # Folders
//
//	layers/<diff id>/tree        what one layer brings
//	layers/<diff id>/layer.json  what it removes, and what the tree cannot say (type layerIndex)
//	images/<digest>/root         the layers of an image, laid over each other
//	images/<digest>/image.json   its configuration
//	pulls/<digest>               the layers of an image that is being unpacked, or whose unpacking was interrupted
//	pins/<name>                  the digest of an image that is kept for a purpose, such as the runtime of that name
//	new-*                        what is being written
//
// A layer is unpacked once, whatever the number of images that have it; the root of an image has hard links to the files of its layers, so that it takes
// no room of its own, needs no overlay file system, and is one mount. Digests are hexadecimal SHA-256: a layer's diff id is that of its tar file, an image's digest that of
// its manifest.
//
// # Invariants
//
//   - A folder is written under another name, made durable, and moved into place: what has its final name is whole. Both digests of a layer, of the bytes
//     that came and of the tar file in them, are verified before that.
//   - Nothing is written outside of the folder being made, whatever the names and links in a layer: names with ".." are refused, and links are resolved by this package
//     as if the folder were the root, through os.Root.
//   - Devices and pipes are refused; below /dev, which sandboxes bring themselves, they are left out. Owners, set-user-id bits and extended attributes are not kept:
//     nothing in a sandbox has use for them.
//   - Size, number of files, layers and documents are bounded ([Limits]).
//
// Several processes may use the same folder: the command line adds images while the platform runs. Each holds a shared lock on the folder while it writes;
// leftovers are removed by whoever gets the lock alone.
//
// # What it is not
//
// Not a registry, and no builder of images. It keeps no compressed layers: an image whose folder is lost is pulled, or given, again.
//
// # Locks
//
// Store.mu guards the tables of running transfers and of images in use. It is not held during transfers; it is held while one image is removed by a sweep,
// so that nobody begins to use it then.
package image
