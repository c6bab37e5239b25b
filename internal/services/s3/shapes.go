package s3

import api "lambent.dev/lambent/internal/awsapi/s3"

// The functions below point to the checksum members of the shapes that have them.

func putInSums(v *api.PutObjectInput) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func putSums(v *api.PutObjectOutput) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func getSums(v *api.GetObjectOutput) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func headSums(v *api.HeadObjectOutput) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func partInSums(v *api.UploadPartInput) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func partOutSums(v *api.UploadPartOutput) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func completeInSums(v *api.CompleteMultipartUploadInput) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func completeOutSums(v *api.CompleteMultipartUploadOutput) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func completedSums(v *api.CompletedPart) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func listedSums(v *api.Part) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func copySums(v *api.CopyObjectResult) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func copyPartSums(v *api.CopyPartResult) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func attributeSums(v *api.Checksum) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}

func objectPartSums(v *api.ObjectPart) sums {
	return sums{&v.ChecksumCRC32, &v.ChecksumCRC32C, &v.ChecksumCRC64NVME, &v.ChecksumSHA1, &v.ChecksumSHA256, &v.ChecksumSHA512, &v.ChecksumMD5, &v.ChecksumXXHASH64, &v.ChecksumXXHASH3, &v.ChecksumXXHASH128}
}
