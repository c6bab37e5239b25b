package sigv4

// DeriveECDSA shows the key derivation of V4a to tests.
var DeriveECDSA = deriveECDSA
