// Functions of f64 that a GPU has.
!t = tensor<1x2x64x64xf16>
func.func @main(%query: !t, %key: !t, %value: !t) -> !t {
  %o = flash.attention %query, %key, %value score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %x = arith.extf %s : f32 to f64
    %half = arith.constant 0.5 : f64
    %size = math.absf %x : f64
    %root = math.sqrt %size : f64
    %whole = math.roundeven %root : f64
    %low = math.floor %root : f64
    %sum = math.fma %whole, %half, %low : f64
    %signed = math.copysign %sum, %x : f64
    %within = math.clampf %signed to [%half, %size] : f64
    %bad = math.isinf %within : f64
    %y = arith.select %bad, %half, %within : f64
    %r = arith.truncf %y : f64 to f32
    flash.yield %r : f32
  } : !t, !t, !t -> !t
  return %o : !t
}
