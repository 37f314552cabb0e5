//go:build !purego

package md5lanes

func init() {
	Kernels["NEONx8"] = Kernel{8, 3, neonx8}
	Kernels["NEONx16"] = Kernel{16, 4, neonx16}
}
