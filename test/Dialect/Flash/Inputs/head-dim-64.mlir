func.func @attention(%q: tensor<?x4x2048x64xbf16>) -> tensor<?x4x2048x64xbf16> {
  %o = flash.attention %q, %q, %q {mask = #flash.causal} : tensor<?x4x2048x64xbf16>, tensor<?x4x2048x64xbf16>, tensor<?x4x2048x64xbf16> -> tensor<?x4x2048x64xbf16>
  return %o : tensor<?x4x2048x64xbf16>
}
