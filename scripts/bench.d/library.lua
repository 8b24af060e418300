-- wrk asks the library one question, as the gateway does for each of some users in turn. Its arguments: the gateway's secret, then for
-- each user the name and the body.
local requests = {}
local turn = 0

function init(arguments)
  for index = 2, #arguments, 2 do
    requests[#requests + 1] = wrk.format("POST", nil, {
      ["Content-Type"] = "application/json",
      ["X-Dtaas-Gateway"] = arguments[1],
      ["X-Forwarded-User"] = arguments[index],
    }, arguments[index + 1])
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
